// Stepping and playing.

/** The first event after `n` for which `is` holds, or nothing. */
function ahead(n, is) {
  const { rec } = app;
  for (let at = n; at < rec.last; ) {
    const event = rec.event((at = rec.next(at)));
    if (event && is(event)) return at;
  }
  return null;
}

/** Where a recorded loop is held: before the next poll after `n`. */
function beforePoll(n) {
  const next = ahead(n, ({ e }) => e === "poll_start");
  return next === null ? app.rec.last : next - 1;
}

const STEPS = {
  "step-poll": ["step/poll", (n) => {
    const next = ahead(n, ({ e }) => e === "poll_start");
    return next === null ? app.rec.last : beforePoll(next);
  }],
  "step-turn": ["step/turn", (n) => {
    const next = ahead(n, ({ e }) => e === "turn_start");
    return next === null ? app.rec.last : beforePoll(next);
  }],
  "to-wake": ["until/wake", (n) => ahead(n, ({ e, task }) => e === "wake" && task === app.selected) ?? app.rec.last],
};

function step(id) {
  if ($(id).disabled) return;
  const [path, where] = STEPS[id];
  if (app.live) {
    app.tail = true;
    app.show(app.rec.last);
    command(path, id === "to-wake" ? { task: app.selected } : {});
  } else {
    app.jump(where(app.cursor));
    speak();
  }
}

function toggle() {
  if (app.asking()) return;
  if (app.live && app.tail) {
    if (end.isOver() && !app.held) return end.replay();
    if (app.link === "live") command(app.held || app.pausing ? "resume" : "pause");
    return;
  }
  if (!app.playing && app.cursor >= app.rec.last) app.jump(app.rec.start.n);
  app.playing = !app.playing;
  app.head = app.view.t;
  play.owed = 0;
  play.asleep = 0;
  app.touch();
}

const SPEEDS = [["1 event/s", 1], ["5 events/s", 5], ["20 events/s", 20], ["100 events/s", 100], ["1000 events/s", 1000], ["real time / 10", "0.1"], ["real time", "1"], ["real time × 10", "10"]];

/** Slow motion in which one can read what happens. */
const SLOWLY = 250;

const DELAYS = [["full speed", 0], ["slow: 10 ms", 10], ["slow: 100 ms", 100], ["slow: 250 ms", SLOWLY], ["slow: 500 ms", 500], ["slow: 2 s", 2000]];

/** A sleep longer than this on the screen tells nothing more. */
const LONGEST_SLEEP = 1200;

function play(passed) {
  const speed = app.pace === null ? $("speed").value : String(app.pace), { rec } = app;
  let n = app.cursor;
  if (speed.startsWith("x")) {
    app.head = Math.max(app.head, app.view.t) + passed * MS * Number(speed.slice(1));
    const next = rec.event(rec.next(n));
    play.asleep = next && next.t > app.head ? (play.asleep || 0) + passed : 0;
    if (play.asleep > LONGEST_SLEEP && app.view.running === null) app.head = next.t;
    // Over a gap it goes in one step.
    for (let count = 0; count < 20000 && n < rec.last && (rec.event(rec.next(n))?.t ?? 0) <= app.head; count++) n = rec.next(n);
  } else {
    play.owed = Math.min(2000, (play.owed || 0) + (passed * Number(speed)) / 1000);
    for (; play.owed >= 1; play.owed--) n = rec.next(n);
  }
  if (app.until !== null && n >= app.until) return app.jump(app.until);
  if (n > app.cursor) app.show(n);
  if (app.cursor >= rec.last) {
    app.playing = false;
    app.touch();
    if (app.live) Object.assign(app, { tail: true });
    else end.replayed();
  }
}

function fillSpeeds() {
  const list = app.live ? DELAYS : SPEEDS, select = $("speed");
  select.replaceChildren(...list.map(([words, value]) => el("option", { value: typeof value === "string" ? `x${value}` : value }, words)));
  select.setAttribute("aria-label", app.live ? "Slow motion" : "Speed");
  select.title = app.live ? "Slow motion: how long the loop waits before each poll" : "How fast to play";
  select.value = app.live ? 0 : app.rec.header.clock === "virtual" ? 20 : "x1";
}
