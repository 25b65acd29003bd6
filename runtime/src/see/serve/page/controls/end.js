// The card at the end of a program: what it did, and what one can do now.

const end = {
  /** The loop's first task is over, and so is the connection. */
  isOver() {
    return app.rec.last > 0 && app.view.tasks.size === 0 && app.view.totals.ended > 0;
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
    $("end-facts").replaceChildren(...rows.filter((row) => row).flatMap(([name, words]) => [el("dt", {}, name), el("dd", {}, words)]));
    $("end-how").hidden = true;
    $("end").hidden = false;
    $("end-replay").focus();
  },

  hide() { $("end").hidden = true; },

  /** What was received is played like a file; the page no longer listens. */
  replay() {
    this.hide();
    transport.close();
    Object.assign(app, { live: false, link: "none", held: null });
    fillSpeeds();
    app.jump(app.rec.start.n);
    toggle();
  },

  /** The page cannot start a program; it waits for it. */
  again() {
    $("end-how").hidden = false;
    if (!transport.stream) connect();
  },
};
