// Reads Chrome traces with speedscope's own importer, and compares what it makes of them with what was written.
//
//     npm pack speedscope@1.20.0 && tar xzf speedscope-1.20.0.tgz
//     node tests/browser/speedscope.js package/dist/release trace.json...
//
// The importer is a part of speedscope's page. Its bundle is loaded here without the page that it belongs to.
// Exits with 1 where a warning is given, or a slice stands elsewhere than it was written.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [folder, ...traces] = process.argv.slice(2);
const warnings = [];

function importer() {
  const bundle = (name) => {
    const file = fs.readdirSync(folder).find((file) => file.startsWith(`${name}.`) && file.endsWith(".js"));
    return fs.readFileSync(path.join(folder, file), "utf8");
  };
  const warn = (...words) => warnings.push(words.join(" "));
  const page = vm.createContext({ console: { ...console, warn }, window: {}, document: {}, TextDecoder, URL });
  // The last list of a bundle names what it starts with, which is the page. Here, nothing is started.
  vm.runInContext(bundle("speedscope").replace(/,\[0,"\w+"\], null\)/, ",[], null)"), page);
  vm.runInContext(bundle("import"), page);
  return vm.runInContext('parcelRequire("KFvE")', page).importTraceEvents;
}

// The slices of each track as they were written: name and depth, in the order in which they begin.
function written(rows) {
  const tracks = new Map();
  for (const { ph, pid, tid, ts, dur, name } of rows.filter((row) => row.ph === "X")) {
    const key = `${pid} ${tid}`;
    if (!tracks.has(key)) tracks.set(key, { open: [], slices: [] });
    const { open, slices } = tracks.get(key);
    while (open.length > 0 && open.at(-1) < ts) open.pop();
    slices.push(`${open.length} ${name}`);
    open.push(ts + dur);
  }
  return [...tracks.values()].map((track) => track.slices.join("\n")).sort();
}

// The same as they were read.
function read(profiles) {
  const tracks = profiles.map((profile) => {
    const slices = [];
    let depth = 0;
    profile.forEachCall(
      (node) => slices.push(`${depth++} ${node.frame.name.replace(/ \{.*\}$/s, "")}`),
      () => depth--,
    );
    return slices.join("\n");
  });
  return tracks.filter((track) => track !== "").sort();
}

const importTraceEvents = importer();
let failed = traces.length === 0;
for (const trace of traces) {
  warnings.length = 0;
  const rows = JSON.parse(fs.readFileSync(trace, "utf8"));
  const { profiles } = importTraceEvents(rows);
  const [wrote, got] = [written(rows.traceEvents), read(profiles)];
  const differs = wrote.findIndex((track, index) => track !== got[index]);
  const count = wrote.join("\n").split("\n").length;
  console.log(`${path.basename(trace)}: ${count} slices on ${wrote.length} tracks, ${warnings.length} warnings`);
  if (warnings.length > 0 || differs >= 0 || wrote.length !== got.length) {
    failed = true;
    console.log(warnings.slice(0, 3).join("\n"));
    if (differs >= 0) console.log(`written:\n${wrote[differs].slice(0, 400)}\nread:\n${(got[differs] ?? "").slice(0, 400)}`);
  }
}
process.exit(failed ? 1 : 0);
