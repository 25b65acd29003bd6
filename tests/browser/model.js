// Says what the page's model makes of a recording: after each event, a line with the facts of the state.
//
//   node model.js FOLDER RECORDING STEP
//
// FOLDER has the model's source, which knows no document, so that it runs without a browser.
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { runInThisContext } = require("node:vm");

const [folder, recording, step] = process.argv.slice(2);
const rooms = ["words", "state", "history", "recording"].map((room) => readFileSync(join(folder, `${room}.js`), "utf8"));
runInThisContext(`${rooms.join("\n")}\nObject.assign(globalThis, { Recording, read });`);

const rec = read(readFileSync(recording, "utf8"));
for (let n = 1; n < rec.last; n += Number(step)) console.log(JSON.stringify(Recording.factsOf(rec.at(n))));
