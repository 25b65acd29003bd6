// Where events come from: a program that runs, or a file.

/** The text of a recording that is built into the page. */
async function builtIn(name) {
  const packed = Uint8Array.from(atob($("recordings").textContent), (letter) => letter.charCodeAt(0));
  const text = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  return text.split(/^(?=\{"oneloop")/m)[$("recordings").dataset.names.split(" ").indexOf(name)];
}

const token = new URLSearchParams(location.search).get("token");

/** An address beside this page, with the token it was opened with. */
function address(path, query = {}) {
  const all = new URLSearchParams(query);
  if (token) all.set("token", token);
  return path + (all.size ? `?${all}` : "");
}

async function command(path, query) {
  if (path === "pause") app.pausing = true;
  if (path === "resume") app.pausing = false;
  app.touch();
  try {
    const answer = await fetch(address(path, query), { method: "POST" });
    if (!answer.ok) notice((await answer.text()).trim() || `The program refused ${path}: ${answer.status}.`);
  } catch {
    notice("The program does not answer: it has ended, or the connection is lost.");
  }
}

/** Says something in the caption's place, for a while. */
function notice(text) {
  const node = $("spoken");
  say(node, text);
  $("source").textContent = app.source = text;
  app.touch();
}

const transport = {
  stream: null,

  close() {
    this.stream?.close();
    this.stream = null;
  },
};

function connect() {
  Object.assign(app, { live: true, link: "connecting", source: location.host });
  fillSpeeds();
  heroSays("Waiting for the program", "The page is here; the first events are on their way.");
  const stream = (transport.stream = new EventSource(address("events")));
  // With many tabs the server ends a stream now and then, and the browser comes again by itself.
  let missed = null;
  stream.onopen = () => {
    clearTimeout(missed);
    missed = null;
    app.link = "live";
    app.source = location.host;
    app.touch();
  };
  const lost = () => {
    app.link = "lost";
    Object.assign(app, { held: null, delay: 0 });
    timeline.hold(false);
    if (document.body.classList.contains("bare")) heroSays("No connection", "The program that served this page has ended, or does not send events. Watch a recording instead.");
    else if (app.tail) end.show();
    app.touch();
  };
  stream.onerror = () => {
    missed ??= setTimeout(lost, 1500);
  };
  stream.onmessage = ({ data }) => received(data);
}

/** The objects of a message: all at once, unless a line of it is none. */
function parsed(data) {
  try {
    return JSON.parse(`[${data.trim().replaceAll("\n", ",")}]`);
  } catch {
    return data.split("\n").map(parse).filter((what) => what);
  }
}

/** A message: lines of a recording, and lines of how the loop is. */
function received(data) {
  let fresh = null, news = false, turned = null;
  const culprit = app.server?.culprit;
  for (const what of parsed(data)) {
    if (what.oneloop && app.run && app.rec.run === app.run) app.rec.goOn(what);
    else if (what.oneloop) (app.rec = fresh = new Recording(what)).run = app.run;
    else if (what.fact) app.rec.fact(what);
    else if (what.found) app.rec.foundBefore(what.found);
    else if (["held", "running"].includes(what.status)) turned = what;
    else if (what.status) status(what);
    else if (what.e) {
      app.rec.push(what);
      news = true;
      app.heard = document.timeline.currentTime;
      // The loop is held up by nobody any more.
      if (app.server) app.server.culprit = null;
      if (app.predict?.from != null && what.e === "poll_start" && what.n > app.predict.from) app.predict.seen ||= what;
    }
  }
  if (fresh) welcome(fresh);
  else if ((news || app.rec.stale) && app.tail) app.show(app.rec.last);
  if (news && !end.isOver()) end.hide();
  // The loop is held after what came before: so it is looked at when that is shown.
  if (turned) status(turned);
  app.rec.trim();
  if (app.cursor < app.rec.start.n) app.show(app.rec.start.n);
  if (app.predict?.seen) {
    const { seen } = app.predict;
    app.predict.seen = null;
    reveal(seen);
  }
  // The time alone is no news.
  if (fresh || news || turned || app.rec.stale || app.server?.culprit !== culprit) app.touch();
}

/** A run that is new to this page. */
function welcome(rec) {
  const again = !document.body.classList.contains("bare");
  end.hide();
  app.begin(rec);
  app.tail = true;
  timeline.setMode(again ? timeline.mode : rec.header.clock === "virtual" ? "order" : "time");
  timeline.fit(true);
}

function status(what) {
  if (what.status === "run") app.run = what.run;
  if (what.status === "clock") app.server = { t: what.t, at: performance.now(), culprit: what.culprit, task: what.task, since: what.since, awaited: what.awaited };
  if (what.status === "running") app.held = null;
  if (what.status === "held") {
    app.pausing = false;
    app.held = what;
    if (app.predict?.waiting) askWhenHeld();
  }
  if (what.delay !== undefined) app.delay = what.delay;
  timeline.hold(app.held !== null || app.delay > 0);
  if (what.delay !== undefined) {
    const select = $("speed");
    if (![...select.options].some(({ value }) => Number(value) === what.delay)) select.append(el("option", { value: what.delay }, `slow: ${what.delay} ms`));
    select.value = what.delay;
  }
}

function open(text, name, quiet = false) {
  try {
    const rec = read(text);
    tour.end();
    Object.assign(app, { live: false, link: "none", held: null, source: plain(name) });
    app.trouble = rec.cut ? `${isolated(name)} was cut short: ${rec.cut}. The page shows what stands before it.` : null;
    app.begin(rec);
    endPredict();
    fillSpeeds();
    const at = Number(/^#event=(\d+)$/.exec(location.hash)?.[1] ?? NaN);
    app.jump(Number.isNaN(at) ? Math.min(rec.start.n + 1, rec.last) : at);
    timeline.setMode(rec.header.clock === "virtual" ? "order" : "time");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (Number.isNaN(at) && !still && !quiet && !$("about").open) toggle();
  } catch (error) {
    refuse(name, error.message);
  }
}

function refuse(name, why) {
  heroSays("This cannot be replayed", `${isolated(name)}: ${why}.`);
  app.trouble = `${isolated(name)} cannot be replayed: ${why}.`;
  paintBanner();
}

/** What the page says while it has nothing to show. */
function heroSays(head, text) {
  say($("hero-title"), head);
  say($("hero-text"), text);
}

async function openAddress(name) {
  const url = new URL(name, location.href);
  if (!location.protocol.startsWith("http") || url.origin !== location.origin) return refuse(name, "a recording is opened by its address only from the place that this page is from");
  app.source = url.pathname;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`the server said ${answer.status}`);
    open(await answer.text(), url.pathname.split("/").pop());
  } catch (error) {
    refuse(name, error.message);
  }
}

async function openFile(file) {
  if (app.live) return notice("This page shows a live program; open it from disk to replay a file.");
  if (!file) return;
  try {
    open(await file.text(), file.name);
  } catch {
    refuse(file.name, "it is a folder, or a file that may not be read");
  }
}

function save() {
  const link = el("a", { href: URL.createObjectURL(new Blob(app.rec.text(), { type: "application/x-ndjson" })), download: "oneloop.ndjson" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
