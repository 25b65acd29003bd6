// The page as a whole: what is shown, and when it is drawn.

const app = {
  rec: new Recording(), view: new State(), cursor: 0, tail: true,
  live: false, link: "none", held: null, server: null, source: "",
  playing: false, head: 0, selected: null, lastPolled: null, wedged: new Set(),
  predict: null, score: [0, 0], dirty: true, painted: 0, cost: 0,

  touch() { this.dirty = true; },
  asking() { return this.predict?.asking === true; },

  /** Nothing moves by itself. */
  paused() { return this.live && this.tail ? this.held !== null : !this.playing; },

  /** The loop's time at what is shown, between two events too. */
  now() {
    const { view } = this;
    if (this.live && this.tail) {
      if (!this.server || this.held || this.link !== "live") return view.t;
      const now = this.server.t + (performance.now() - this.server.at) * MS;
      // The server names whoever holds up the loop. Where it names nobody, this poll is long over, and its end
      // is on its way.
      return Math.max(view.t, view.running !== null && !this.server.culprit ? Math.min(now, view.t + SLOW / 2) : now);
    }
    return this.playing ? Math.max(view.t, this.head) : view.t;
  },

  /** Shows the state after event `n`. */
  show(n) {
    this.view = this.rec.at(n, this.view);
    this.cursor = this.view.n;
    const polls = this.rec.history.polls, i = History.from(polls, "n", this.cursor + 1) - 1;
    this.lastPolled = polls[i]?.task ?? null;
    this.wedged = new Set(this.rec.findings.filter((f) => f.kind === "nobody_can_wake" && f.n <= this.cursor).map((f) => f.task));
    this.touch();
  },

  jump(n) {
    this.playing = false;
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

function frame(at) {
  const passed = Math.min(250, at - (frame.last ?? at));
  frame.last = at;
  if (app.playing) play(passed);
  const moving = app.playing || (app.live && app.link === "live" && !app.held);
  if ((app.dirty || moving) && !document.body.classList.contains("bare")) {
    app.dirty = false;
    paint(at, moving);
  }
  requestAnimationFrame(frame);
}

function paint(at, moving) {
  timeline.draw();
  clock.paint();
  paintBar();
  paintBanner();
  // What is read and not watched need not be new sixty times a second.
  if (moving && at - app.painted < Math.max(90, 4 * app.cost)) {
    app.dirty = true;
    return;
  }
  app.painted = at;
  const began = performance.now();
  paintTiles();
  paintQueue();
  slab.paint();
  wheel.paint();
  paintSockets();
  paintFindings();
  inspector.paint();
  app.cost = performance.now() - began;
  const lost = app.rec.history.gaps.reduce((sum, { n, n1 }) => sum + n1 - n, 0);
  say($("line-note"), `${several(timeline.lanes.length, "lane")} of ${several(app.rec.names.size, "task")}${lost ? `; ${several(lost, "event")} not seen` : ""}`);
}
