// The history: what the timeline draws, in the order in which it happened.

/** Polls, wakes, parks and turns by their order; a life for each task, with its own polls. One thread: polls never overlap. */
class History {
  constructor() { Object.assign(this, { polls: [], wakes: [], parks: [], turns: [], gaps: [], holds: [], heldBefore: 0, lives: new Map(), open: null, park: null }); }

  add(event, state) {
    const { n, t, e } = event;
    if (e === "poll_start") {
      this.polled(event.task, n, t);
    } else if (e === "poll_end") {
      if (this.open) Object.assign(this.open, { n1: n, t1: t, end: event.outcome });
      this.open = null;
    } else if (e === "wake") {
      const { kind, id } = parts(event.by);
      this.wakes.push({ n, t, task: event.task, by: event.by, kind, who: id, queued: event.queued });
      if (event.queued) this.queues(event.task, n, t);
    } else if (e === "spawn") {
      this.lives.set(event.task, { n, t, by: event.by, n1: Infinity, t1: Infinity, polls: [], qn: n, qt: t });
    } else if (e === "finish") {
      const life = this.lives.get(event.task) || { n: 0, t: 0, polls: [] };
      this.lives.set(event.task, Object.assign(life, { n1: n, t1: t, outcome: event.outcome }));
    } else if (e === "park_start") {
      this.parks.push(this.park = { n, t, n1: Infinity, t1: Infinity, timeout: event.timeout });
    } else if (e === "park_end") {
      if (this.park) Object.assign(this.park, { n1: n, t1: t, events: event.events });
      this.park = null;
    } else if (e === "held") {
      const last = this.holds.at(-1), sum = last ? last.sum + last.t1 - last.t : this.heldBefore;
      this.holds.push({ n, t: Math.max(t - event.lasted, last?.t1 ?? 0), t1: t, sum });
    } else if (e === "turn_start") {
      this.turns.push({ n, t, turn: state.turn });
    }
  }

  polled(task, n, t) {
    const life = this.lives.get(task);
    this.polls.push(this.open = { task, n, t, n1: Infinity, t1: Infinity, qn: life?.qn ?? n, qt: life?.qt ?? t, end: null });
    life?.polls.push(this.open);
    this.queues(task, undefined, undefined);
  }

  /** Since when a task stands in the queue. */
  queues(task, n, t) {
    const life = this.lives.get(task);
    if (life) Object.assign(life, { qn: n, qt: t });
  }

  /** What went on then is over, as far as anybody knows. Tasks that live on are told of by the facts that follow. */
  skip(gap) {
    for (const what of [this.open, this.park, ...this.lives.values()]) if (what?.n1 === Infinity) Object.assign(what, { n1: gap.n, t1: gap.t });
    for (const life of this.lives.values()) life.qn = life.qt = undefined;
    Object.assign(this, { open: null, park: null });
    const before = this.gaps.at(-1);
    if (before?.n1 === gap.n) before.n1 = gap.n1;
    else this.gaps.push(gap);
  }

  forget(n) {
    for (const list of ["polls", "wakes", "parks", "turns"]) this[list] = this[list].filter((what) => what.n > n);
    const gone = this.holds.findLast((hold) => hold.n <= n);
    if (gone) this.heldBefore = gone.sum + gone.t1 - gone.t;
    this.holds = this.holds.filter((hold) => hold.n > n);
    this.gaps = this.gaps.filter(({ n1 }) => n1 > n);
    for (const [id, life] of this.lives) {
      if (life.n1 <= n) this.lives.delete(id);
      else if (life.polls[0]?.n <= n) life.polls = life.polls.slice(History.from(life.polls, "n", n + 1));
    }
  }

  /** The index of the first entry of `list` at or after `value` by `key`. */
  static from(list, key, value) {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle][key] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
