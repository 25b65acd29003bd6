// The turn: a clock of its phases, and where the last second of the loop went.

const PHASES = [["inbox", 0, 52], ["timers", 52, 112], ["poll", 112, 268], ["park", 268, 360]];

const clock = {
  turned: 0, angle: 0,

  build() {
    const root = $("clock"), point = (angle, r) => [150 + r * Math.sin((angle * Math.PI) / 180), 106 - r * Math.cos((angle * Math.PI) / 180)];
    this.arcs = {};
    for (const [name, from, to] of PHASES) {
      const [x, y] = point(from + 3.5, 78), [x1, y1] = point(to - 3.5, 78);
      const arc = svg("path", { class: "arc", d: `M${x} ${y}A78 78 0 ${to - from > 180 ? 1 : 0} 1 ${x1} ${y1}`, "stroke-linecap": "round" });
      const [tx, ty] = point(name === "poll" ? 180 : (from + to) / 2, { poll: 48, timers: 112 }[name] ?? 103);
      const label = svg("text", { x: tx, y: ty }, name);
      this.arcs[name] = [arc, label];
      root.append(arc, label);
    }
    this.ticks = Array.from({ length: POLLS_PER_TURN }, (_, i) => {
      const angle = 118 + ((i + 0.5) * 144) / POLLS_PER_TURN, [x, y] = point(angle, 64), [x1, y1] = point(angle, 69);
      return `M${x} ${y}L${x1} ${y1}`;
    });
    this.done = svg("path", { class: "tick done" });
    root.append(svg("path", { class: "tick", d: this.ticks.join("") }), this.done);
    root.append(svg("text", { id: "turn-word", x: 150, y: 72 }, "turn"), svg("text", { id: "turn-number", x: 150, y: 93 }, "0"), svg("text", { id: "turn-what", class: "now", x: 150, y: 118 }), svg("text", { id: "turn-who", class: "now", x: 150, y: 134 }));
    this.hand = svg("g", { id: "hand" });
    this.hand.append(svg("circle", { cx: 150, cy: 28, r: 9.5 }));
    root.append(this.hand);
  },

  paint() {
    const { view } = app, hidden = app.asking();
    for (const [name, [arc, label]] of Object.entries(this.arcs)) {
      arc.classList.toggle("on", view.phase === name);
      label.classList.toggle("on", view.phase === name);
    }
    const lit = Math.min(view.polls, POLLS_PER_TURN);
    if (this.lit !== lit) this.done.setAttribute("d", this.ticks.slice(0, lit).join(""));
    this.lit = lit;
    this.turn(this.angleOf(view));
    say($("turn-number"), group(view.turn));
    const [what, who] = hidden ? ["who is next?", ""] : this.words(view);
    say($("turn-what"), what);
    say($("turn-who"), who);
    $("clock").setAttribute("aria-label", `Turn ${view.turn}, phase ${view.phase}: ${what} ${who}`);
  },

  words(view) {
    if (view.running !== null) {
      const name = app.rec.names.get(view.running)?.name ?? "";
      return [`polls task ${view.running}`, cut(name, 16)];
    }
    if (view.phase === "park" && view.park) return [view.park.timeout === 0 ? "asks the kernel" : "parked", view.park.timeout === null ? "until it is woken" : view.park.timeout ? `up to ${span(view.park.timeout)}` : ""];
    return [{ inbox: "looks at its inbox", timers: "fires timers", poll: "between two polls", park: "after the park" }[view.phase] || "between two turns", app.live && app.tail && app.delay && view.phase === "poll" ? "slow motion" : ""];
  },

  angleOf(view) {
    const [, from, to] = PHASES.find(([name]) => name === view.phase) || ["", 356, 360];
    if (view.phase === "poll") return 118 + (Math.max(0, Math.min(view.polls, POLLS_PER_TURN) - 0.5) * 144) / POLLS_PER_TURN;
    if (view.phase !== "park") return (from + to) / 2;
    const { timeout, t } = view.park || {};
    return view.park && timeout ? from + 12 + Math.min(1, (app.now() - t) / timeout) * (to - from - 24) : (from + to) / 2;
  },

  /** The hand only ever goes forward. */
  turn(angle) {
    const forward = (((angle - this.angle) % 360) + 360) % 360;
    if (forward < 0.2) return;
    this.turned += forward > 350 ? forward - 360 : forward;
    this.angle = angle;
    // A short way is gone at once: to glide there would draw the page ten times.
    this.hand.style.transition = forward > 12 && forward < 350 ? "" : "none";
    this.hand.style.transform = `rotate(${this.turned}deg)`;
  },
};

function paintTiles() {
  const { view } = app;
  const values = [["tasks", view.tasks.size], ["ready", app.asking() ? "?" : view.queue.length], ["timers", view.timers.size], ["sources", view.sources.size]];
  const list = $("tiles");
  if (!list.firstChild) list.append(...values.map(([name]) => el("div", {}, el("dt", {}, name), el("dd", {}, ""))));
  values.forEach(([, value], i) => say(list.children[i].lastChild, typeof value === "number" ? group(value) : value));
  say($("turn-note"), moment(app.now()));
  paintShare();
}

/** Where the last second of the loop's time went. */
function paintShare() {
  const { polls, parks } = app.rec.history, now = app.now(), from = now - SECOND;
  const sum = (list) => {
    let spent = 0, count = 0;
    for (let i = Math.min(History.from(list, "n", app.cursor + 1), list.length) - 1; i >= 0 && count < 20000; i--) {
      const { t, t1 } = list[i], to = Math.min(t1, now);
      if (to < from) break;
      spent += Math.max(0, to - Math.max(t, from));
      count += 1;
    }
    return [spent, count];
  };
  const [busy, count] = sum(polls), [asleep] = sum(parks), all = Math.max(1, Math.min(SECOND, now - app.rec.start.t));
  const percent = (part) => `${Math.min(100, (100 * part) / all).toFixed(part / all > 0.095 ? 0 : 1)} %`;
  $("share-poll").style.width = `${(100 * busy) / all}%`;
  $("share-park").style.width = `${(100 * asleep) / all}%`;
  say($("share-left"), `${several(count, "poll")} in ${all < SECOND * 0.95 ? span(Math.ceil(all / 1e7) * 1e7) : "the last second"}`);
  say($("share-right"), `busy ${percent(busy)}`);
  $("share-text").title = `Of the last second, ${percent(busy)} went to polls, and ${percent(asleep)} to parks.`;
}
