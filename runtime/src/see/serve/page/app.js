// The page as a whole: what is shown, and when it is drawn.

const app = {
  rec: new Recording(), view: new State(), cursor: 0, tail: true,
  live: false, link: "none", held: null, pausing: false, delay: 0, server: null, source: "",
  playing: false, until: null, pace: null, head: 0, selected: null, lastPolled: null, wedged: new Set(),
  predict: null, score: { right: 0, all: 0, row: 0 }, trouble: null, dirty: true, stale: true, painted: 0, cost: 0, heard: 0,

  touch() {
    this.dirty = true;
    frames.ask();
  },
  asking() { return this.predict?.asking === true; },

  /** Whose poll the loop is held before. */
  next() { return this.live && this.tail && !this.asking() ? this.held?.next ?? null : null; },

  /** Whether one sees for a while that this task had the thread just now: nobody has it, and polls come one by one. */
  hadThread(id) {
    return id === this.lastPolled && this.view.phase === "poll" && this.view.running === null && (!this.live || !this.tail || this.held !== null || this.delay > 0);
  },

  /** Nothing moves by itself. */
  paused() { return this.live && this.tail ? this.held !== null || end.isOver() : !this.playing; },

  /** Whether the poll that is shown holds up the loop, as the server says. */
  isStuck() {
    const { server, view } = this;
    return Boolean(server?.culprit) && server.task === view.running && server.since === view.since;
  },

  /** The loop's time at what is shown, between two events too. */
  now() {
    const { view } = this;
    if (this.live && this.tail) {
      // A virtual clock stands still between two events.
      if (!this.server || this.held || this.link !== "live" || this.rec.header.clock === "virtual") return view.t;
      const now = this.server.t + (performance.now() - this.server.at) * MS;
      // The server names the poll that holds up the loop. Any other is long over, and its end is on its way.
      return Math.max(view.t, view.running !== null && !this.isStuck() ? Math.min(now, view.t + SLOW / 2) : now);
    }
    return this.playing ? Math.max(view.t, this.head) : view.t;
  },

  /** Shows the state after event `n`. */
  show(n) {
    this.view = this.rec.at(n, this.view);
    this.cursor = this.view.n;
    const polls = this.rec.history.polls, i = History.from(polls, "n", this.cursor + 1) - 1;
    this.lastPolled = polls[i]?.task ?? null;
    picture.find();
    this.touch();
  },

  jump(n) {
    Object.assign(this, { playing: false, until: null, pace: null });
    this.tail = this.live && n >= this.rec.last;
    this.show(n);
    this.head = this.view.t;
  },

  choose(id) {
    if (this.asking()) return guess(id);
    this.select(this.selected === id ? null : id);
  },

  select(id) {
    this.selected = id;
    if (id !== null) timeline.reveal(id);
    this.touch();
  },

  /** A new recording takes the place of what was shown. */
  begin(rec) {
    Object.assign(this, { rec, view: rec.at(rec.last), selected: null, playing: false, predict: null });
    if (!rec.names.has(this.selected)) this.selected = null;
    document.body.classList.remove("bare", "predicting");
    $("hero").hidden = true;
    this.show(rec.last);
  },
};

const timeline = new Timeline($("canvas"));

/** How often a live page is drawn while nothing happens: only the time goes on. */
const IDLE_MS = 1000;
/** From when on nothing happens, and how often panels are new that are read and not watched. */
const QUIET_MS = 300, READ_MS = 100;

/** A frame is drawn when something has changed, or moves by itself. A page that rests costs nothing. */
const frames = {
  asked: false, timer: null, last: null,

  ask() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(frame);
  },
  later(ms) { this.timer ??= this.asked ? null : setTimeout(() => this.ask(), ms); },
};

function frame(at) {
  frames.asked = false;
  if (app.playing) play(Math.min(250, at - (frames.last ?? at)));
  frames.last = app.playing ? at : null;
  if (document.body.classList.contains("bare")) return paintPill();
  const moving = app.playing || (app.live && app.link === "live" && !app.held);
  app.stale ||= app.dirty || app.playing;
  app.dirty = false;
  paint(at, moving);
  if (app.dirty || app.playing) frames.ask();
  else if (moving && at - app.heard > QUIET_MS) frames.later(IDLE_MS), end.look();
  else if (moving) frames.ask();
}

function paint(at, moving) {
  timeline.draw();
  clock.paint();
  paintBar();
  paintBanner();
  if (moving && at - app.painted < Math.max(READ_MS, 4 * app.cost)) return;
  app.painted = at;
  const began = performance.now();
  paintTiles();
  slab.paint();
  inspector.paint();
  // The rest tells no time: while nothing happens it stays as it is.
  if (!app.stale) return;
  app.stale = false;
  paintQueue();
  picture.paint();
  wheel.paint();
  paintSources();
  paintFindings();
  app.cost = performance.now() - began;
  const lost = app.rec.history.gaps.reduce((sum, { n, n1 }) => sum + n1 - n, 0);
  say($("line-note"), `${several(timeline.lanes.length, "lane")} of ${several(app.rec.names.size, "task")}${lost ? `; ${several(lost, "event")} not seen` : ""}`);
}
