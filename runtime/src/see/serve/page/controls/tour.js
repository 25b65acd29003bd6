// The guided tour: the built-in recordings, five stops each. A stop is found by what happens there, so that it
// stays right when a recording is made anew.

/** The number of the event for which `is` holds for the `count`-th time. */
function nth(rec, count, is) {
  const found = rec.events.filter(is);
  return (found[Math.min(count, found.length) - 1] ?? rec.events.at(-1)).n;
}

const ofKind = (name) => ({ e }) => e === name;
const atFinding = (rec) => nth(rec, 1, ofKind("finding"));
const atEnd = (rec) => rec.last;

/** Each recording: its file, its card, and its stops: when, which panel to look at, and what to see there. */
const TOUR = [
  ["see_sleepers", "Thirty sleepers", "How one thread sleeps thirty times at once", [
    [(rec) => nth(rec, 1, ofKind("poll_end")), "queue", "Main has spawned thirty tasks in one poll. None of them has run yet: they stand in the ready queue."],
    [(rec) => nth(rec, 6, ofKind("poll_start")), "turn", "The loop polls them one by one. Amber is the task that is running; all others wait."],
    [(rec) => nth(rec, 1, ofKind("park_start")), "wheel", "Each task has left a timer on the wheel and given the thread back. No task is ready, so the loop parks: one sleep of the thread, for all thirty."],
    [(rec) => nth(rec, 30, ofKind("timer_fired")) + 1, "queue", "A second later all thirty timers fire in the same turn. Each wakes its task, and the queue is full again."],
    [atEnd, "line", "Each task was polled twice, for a moment. Thirty seconds of sleep took one second, on one thread."]]],
  ["hog", "A blocked loop", "What a long poll does to everyone else", [
    [(rec) => nth(rec, 2, ofKind("park_start")), "line", "The ticker wakes every tenth of a second. Between its polls the loop is parked."],
    [(rec) => nth(rec, 1, ({ e, task }) => e === "wake" && task === 3), "slab", "Now the hog is woken, too. It will compute without an await."],
    [(rec) => nth(rec, 2, ({ e, task }) => e === "poll_start" && task === 3), "queue", "The hog has the thread. The ticker is ready, but the loop cannot take the thread away from a task."],
    [atFinding, "findings", "Two seconds later the poll is over. The finding names the task and its lines."],
    [atEnd, "line", "The red, striped poll is the time that was lost. The way out: await now and then, or use spawn_blocking."]]],
  ["forgotten_waker", "A forgotten waker", "A future that returns Pending and tells nobody", [
    [(rec) => nth(rec, 1, ofKind("poll_end")), "queue", "Two readers wait for a letter, each at a mailbox of its own. Both are to be polled."],
    [(rec) => nth(rec, 3, ofKind("poll_end")), "slab", "Both have returned Pending. The careful mailbox has kept a waker; the forgetful one has not."],
    [atFinding, "picture", "The loop is about to park, and sees that no waker of this task is left."],
    [(rec) => nth(rec, 1, ({ e, task }) => e === "wake" && task === 3), "queue", "A letter comes to both mailboxes. Only the careful one can wake its reader."],
    [atEnd, "line", "The other reader was never polled again. Main had to abort it."]]],
  ["deadlock", "A deadlock", "Two tasks that wait for each other", [
    [(rec) => nth(rec, 1, ofKind("poll_end")), "queue", "Ann has the fork and wants the knife. Ben has the knife and wants the fork."],
    [(rec) => nth(rec, 2, ofKind("poll_end")), "slab", "Ann awaits Ben’s end: a join. So far nothing is wrong: Ben may still end."],
    [atFinding, "picture", "Ben awaits Ann’s end. The circle is closed, and neither can ever go on."],
    [(rec) => nth(rec, 3, ofKind("park_start")), "line", "No thread is blocked: main is still polled every second. A deadlock of tasks looks like silence."],
    [(rec) => nth(rec, 1, ({ e, outcome }) => e === "finish" && outcome === "aborted") + 2, "slab", "Main has aborted Ben, so Ann goes on. To prevent it, take locks in the same order everywhere."]]],
  ["self_wake", "A busy loop", "A task that wakes itself all the time", [
    [(rec) => nth(rec, 1, ofKind("poll_end")), "queue", "Two tasks wait for the same flag: asker and waiter."],
    [(rec) => nth(rec, 1, ofKind("wake")), "line", "Asker looks at the flag, wakes itself, and returns Pending. So it is ready again at once."],
    [(rec) => nth(rec, 20, ofKind("wake")), "turn", "The loop cannot park any more. A processor is busy with a program that only waits."],
    [atFinding, "findings", "After 200 such polls the finding names the task, and says what to do."],
    [atEnd, "line", "Waiter left its waker with the flag instead: it was polled only twice."]]],
  ["starvation", "Starvation", "How the loop stays fair to a polite task", [
    [(rec) => nth(rec, 1, ({ e, task, by }) => e === "wake" && task === 2 && by === "task 2"), "line", "Reader never has to wait for its bytes. After 128 reads its share of this poll is used up, and it has to queue again."],
    [(rec) => nth(rec, 2, ({ e, task }) => e === "poll_start" && task === 1), "queue", "So main gets its turn in between."],
    [(rec) => nth(rec, 101, ofKind("spawn")), "slab", "Now a hundred tasks are always ready, one after the other."],
    [(rec) => nth(rec, 4, ofKind("turn_end")), "turn", "A turn makes at most 64 polls. Then timers and sources have their turn, however long the queue is."],
    [atFinding, "findings", "Against a task that awaits nothing no share helps. It is named instead."]]],
];

const tour = {
  at: null, stops: [],

  /** Begins with a recording; `only` ends after it. */
  begin(name, only = false) {
    return this.play(Math.max(0, TOUR.findIndex(([file]) => file === name)), only);
  },

  async play(which, only) {
    const [file, head, , stops] = TOUR[which];
    open(await builtIn(file), `${file}.ndjson`, true);
    Object.assign(this, { which, only, head, stops, at: 0 });
    timeline.setMode("order");
    timeline.fit(false);
    $("tour").hidden = false;
    $("bar").classList.add("touring");
    this.stop(0);
  },

  /** Goes to a stop: forward it plays what lies between, so that one sees how it came. */
  stop(at) {
    this.at = at;
    const [when, where, words] = this.stops[at], n = when(app.rec), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.querySelectorAll(".looked-at").forEach((node) => node.classList.remove("looked-at"));
    $(where).classList.add("looked-at");
    if (!FIXED.matches) $(where).scrollIntoView({ block: "center" });
    say($("tour-place"), `${this.head} · ${at + 1} of ${this.stops.length}`);
    say($("tour-words"), words);
    $("tour-back").disabled = at === 0;
    // A press of Enter goes on.
    if (document.activeElement !== $("tour-back") || at === 0) $("tour-next").focus({ preventScroll: true });
    say($("tour-next"), at + 1 < this.stops.length ? "Next" : this.only || this.which + 1 === TOUR.length ? "Done" : `Next: ${TOUR[this.which + 1][1].toLowerCase()}`);
    if (still || at === 0 || n <= app.cursor) return app.jump(n);
    Object.assign(app, { playing: true, until: n, pace: Math.max(20, (n - app.cursor) / 2) });
    app.touch();
  },

  next() {
    if (this.at + 1 < this.stops.length) return this.stop(this.at + 1);
    if (this.only || this.which + 1 === TOUR.length) return this.end();
    return this.play(this.which + 1, false);
  },

  back() {
    if (this.at > 0) this.stop(this.at - 1);
  },

  end() {
    if (this.at === null) return;
    this.at = null;
    app.until = null;
    $("tour").hidden = true;
    $("bar").classList.remove("touring");
    document.querySelectorAll(".looked-at").forEach((node) => node.classList.remove("looked-at"));
  },

  /** A card for each recording, where nothing is open yet. */
  cards() {
    $("watch").replaceChildren(...TOUR.map(([file, head, words]) => {
      const card = el("button", { class: "btn", id: `watch-${file}` }, el("b", {}, head), el("span", {}, words));
      card.addEventListener("click", () => this.begin(file, true));
      return card;
    }));
  },
};
