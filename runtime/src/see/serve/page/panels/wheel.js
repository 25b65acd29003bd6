// The timer wheel: a ring for each level that holds a timer.

const LEVELS = 11, SLOTS = 64;

/** A timer hangs on the level of the highest digit, to the base of 64, in which its deadline differs from now. */
function place(deadline, tick) {
  const due = Math.max(Math.ceil(deadline / MS), tick);
  let level = 0, size = 1;
  while (level < LEVELS - 1 && Math.floor(due / (size * SLOTS)) !== Math.floor(tick / (size * SLOTS))) {
    level += 1;
    size *= SLOTS;
  }
  return [level, Math.floor(due / size) % SLOTS];
}

const wheel = {
  shown: "", rings: [],

  paint() {
    const { timers, tick } = app.view, { levels, next } = this.sorted();
    const held = [...levels.keys()].sort((a, b) => a - b), rings = held.length ? held : [0];
    if (this.shown !== rings.join()) this.build(rings);
    say($("wheel-note"), timers.size ? `next ${dueIn(next)}` : "no timer is pending");
    const count = group(timers.size);
    if (this.centre.textContent !== count) this.centre.style.font = `680 ${Math.max(7, Math.min(this.room * 0.62, (2.9 * this.room) / count.length))}px var(--sans)`;
    say(this.centre, count);
    say(this.word, timers.size === 1 ? "timer" : "timers");
    for (const ring of this.rings) this.paintRing(ring, levels.get(ring.level), Math.floor(tick / SLOTS ** ring.level) % SLOTS);
    this.list(rings, levels);
  },

  /** The timers by level and slot, sorted anew where events have come. */
  sorted() {
    const { timers, tick, n } = app.view;
    if (this.of?.rec === app.rec && this.of.n === n) return this.of;
    const levels = new Map();
    let next = Infinity;
    for (const timer of timers.values()) {
      const [level, slot] = place(timer.deadline, tick);
      if (!levels.has(level)) levels.set(level, { slots: new Map(), count: 0, next: Infinity });
      const on = levels.get(level);
      on.count += 1;
      on.next = Math.min(on.next, timer.deadline);
      if (!on.slots.has(slot)) on.slots.set(slot, []);
      if (on.slots.get(slot).length < 200) on.slots.get(slot).push(timer);
      next = Math.min(next, timer.deadline);
    }
    return (this.of = { rec: app.rec, n, levels, next });
  },

  build(levels) {
    this.shown = levels.join();
    const wide = Math.min(20, 60 / levels.length - 3), root = $("dial");
    const point = (angle, r) => `${(100 + r * Math.sin(angle)).toFixed(2)} ${(100 - r * Math.cos(angle)).toFixed(2)}`;
    root.replaceChildren();
    this.rings = levels.map((level, i) => {
      const outer = 96 - i * (wide + 3), inner = outer - wide;
      const segments = Array.from({ length: SLOTS }, (_, slot) => {
        const a = (slot / SLOTS) * 2 * Math.PI, b = ((slot + 1) / SLOTS) * 2 * Math.PI;
        const path = svg("path", { class: "seg", d: `M${point(a, inner)}L${point(a, outer)}A${outer} ${outer} 0 0 1 ${point(b, outer)}L${point(b, inner)}A${inner} ${inner} 0 0 0 ${point(a, inner)}Z` });
        path.append(svg("title"));
        root.append(path);
        return path;
      });
      const hand = svg("path", { class: "hand", d: `M100 ${100 - inner + 2}L100 ${100 - outer - 2}` });
      root.append(hand);
      return { level, segments, hand };
    });
    // The words are as large as the innermost ring leaves room for.
    const room = (this.room = Math.min(60, 96 - levels.length * (wide + 3)));
    this.centre = svg("text", { x: 100, y: 100 - room * 0.12 });
    this.word = svg("text", { x: 100, y: 100 + room * 0.36 });
    this.word.style.font = `600 ${Math.max(7, room * 0.32)}px var(--sans)`;
    root.append(this.centre, this.word);
  },

  paintRing(ring, held, digit) {
    if (ring.digit !== digit) ring.hand.setAttribute("transform", `rotate(${((digit + 0.5) * 360) / SLOTS} 100 100)`);
    ring.digit = digit;
    ring.segments.forEach((segment, slot) => {
      const kind = held?.slots.has(slot) ? "seg full" : slot < digit ? "seg past" : "seg";
      if (segment.looks !== kind) segment.setAttribute("class", (segment.looks = kind));
    });
  },

  /** The timers that a segment stands for. */
  timersOf(segment) {
    const ring = this.rings.find(({ segments }) => segments.includes(segment));
    return ring ? [ring.level, ring.segments.indexOf(segment), this.sorted().levels.get(ring.level)?.slots.get(ring.segments.indexOf(segment)) ?? []] : [0, 0, []];
  },

  /** Says what hangs there, when somebody points at it. */
  point(segment) {
    const [level, slot, timers] = this.timersOf(segment), count = `${several(timers.length, "timer")}${timers.length === 1 ? `, due at ${moment(timers[0].deadline)}` : ""}`;
    if (segment.firstChild) segment.firstChild.textContent = timers.length ? `level ${level}, list ${slot}: ${count}` : "";
  },

  press(segment) {
    const [, , timers] = this.timersOf(segment), who = timers.length ? [...(app.view.waiters.get(`timer ${timers[0].id}`) || [])][0] : undefined;
    if (who !== undefined) app.choose(who);
  },

  list(rings, levels) {
    const words = rings.map((level, i) => {
      const held = levels.get(level), where = rings.length === 1 ? "" : i === 0 ? ", outermost" : i === rings.length - 1 ? ", innermost" : "";
      return [held ? several(held.count, "timer") : "No timer", held ? `, next ${dueIn(held.next)}` : "", `level ${level}: ${span(MS * SLOTS ** level)} a list`, `level ${level}${where}: ${span(MS * SLOTS ** (level + 1))} a round`];
    });
    refill($("levels"), JSON.stringify(words), () => [
      ...words.map(([count, next, size, full]) => el("li", { title: full }, el("b", {}, count), next, el("br"), el("span", { class: "dim" }, size))),
      el("li", { class: "fold", title: folded(rings) }, rings.length > 1 ? folded(rings) : "A timer hangs in the list of its deadline. The hand is now."),
    ]);
  },
};

/** "Levels 2 to 10 are empty." */
function folded(rings) {
  const empty = [];
  for (let level = 0; level < LEVELS; level++) {
    if (rings.includes(level)) continue;
    const run = empty.at(-1);
    if (run && run[1] === level - 1) run[1] = level;
    else empty.push([level, level]);
  }
  return `Levels ${empty.map(([a, b]) => (a === b ? a : b === a + 1 ? `${a}, ${b}` : `${a} to ${b}`)).join(", ")} are empty.`;
}
