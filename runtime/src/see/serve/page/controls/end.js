// The card at the end of a program: what it did, and what one can do now.

const end = {
  /** The run of which the card has been shown: it comes once, and again behind a replay. */
  shownOf: null, replays: null,

  /** All tasks are over, or those that are left wait for nothing but a signal, such as Ctrl-C. */
  isOver() {
    const { view, rec } = app;
    if (rec.last === 0 || view.totals.ended === 0) return false;
    return view.tasks.size === 0 || this.isAfter(view);
  },

  /** Nothing of the loop can come any more but a signal. */
  isAfter({ tasks, sources, timers, queue, running }) {
    if (running !== null || queue.length || timers.size) return false;
    const forSignals = (on) => on.startsWith("read ") && sources.get(parts(on).id)?.kind === "signals";
    const isLeft = (on) => on.startsWith("join ") || forSignals(on), isVirtual = app.rec.header.clock === "virtual";
    // On the real clock another thread may have something for a task whose wait nobody sees.
    return [...tasks.values()].every(({ waits }) => (waits.size > 0 || isVirtual) && [...waits.keys()].every(isLeft)) && (tasks.size === 0 || [...sources.values()].some(({ kind }) => kind === "signals"));
  },

  /** Nothing has come for a while: perhaps nothing will. */
  look() {
    if (app.tail && !app.predict && this.shownOf !== app.rec && this.isOver()) this.show();
  },

  show() {
    if (!this.isOver()) return;
    const { rec } = app, { totals, turn } = rec.tip, longest = rec.history.polls.reduce((most, poll) => (poll.t1 - poll.t > most.t1 - most.t && poll.n1 < Infinity ? poll : most), { t: 0, t1: 0 });
    const rows = [
      ["ran", `${several(rec.names.size, "task")} in ${several(turn, "turn")}, for ${span(rec.tip.t - rec.begun)}`],
      ["polled", `${several(totals.polls, "time")}${rec.start.n ? ", since this page looked first" : ""}`],
      longest.task && ["longest poll", `${span(longest.t1 - longest.t)}, by ${title(longest.task)}`],
      ["findings", rec.findings.length ? group(rec.findings.length) : "none"],
    ];
    const waits = !$("end").hidden && !$("end-how").hidden;
    Object.assign(this, { shownOf: rec, replays: null });
    say($("end-title"), app.link === "live" ? "The program has done its work" : "The program has ended");
    $("end-facts").replaceChildren(...rows.filter((row) => row).flatMap(([name, words]) => [el("dt", {}, name), el("dd", {}, words)]));
    $("end").hidden = false;
    $("end-how").hidden = true;
    if (waits) this.again();
    $("end-replay").focus();
  },

  hide() { $("end").hidden = true; },

  /** What was received is played like a file; the page no longer listens. */
  replay(speed) {
    this.hide();
    transport.close();
    Object.assign(app, { live: false, link: "none", held: null });
    this.replays = app.rec;
    fillSpeeds();
    if (speed) $("speed").value = speed;
    app.jump(app.rec.start.n);
    toggle();
  },

  /** A replay has come to its end. */
  replayed() {
    if (this.replays === app.rec) this.show();
  },

  /** The page cannot start a program; it waits for it. */
  again() {
    say($("end-how"), app.link === "live" ? "End the program with Ctrl-C, and start it again with the same command. This page shows it as soon as it runs." : "Start the program again with the same command. This page shows it as soon as it runs.");
    $("end-how").hidden = false;
    if (!transport.stream) connect();
  },
};
