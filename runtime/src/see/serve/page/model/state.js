// The state: what a loop looks like after so many events. It is see::State once more, for the page.

class State {
  /** The events that change it. An event that came later changes nothing. */
  static KNOWN = new Set(["turn_start", "turn_end", "spawn", "poll_start", "poll_end", "wait", "wait_dropped", "wake", "abort", "finish", "timer_set",
    "timer_cancelled", "timer_fired", "source_opened", "source_ready", "source_drained", "source_closed", "park_start", "park_end"]);

  constructor() {
    Object.assign(this, { n: 0, t: 0, turn: 0, phase: "idle", polls: 0, running: null, since: 0, tick: 0, park: null, fired: null });
    Object.assign(this, { tasks: new Map(), slots: [], queue: [], timers: new Map(), sources: new Map() });
    /** Who waits, by what they wait for; a list is never changed, so that copies can share it. */
    this.waiters = new Map();
    this.totals = { polls: 0, wakes: 0, parks: 0, ended: 0 };
  }

  clone() {
    const copy = Object.assign(new State(), this);
    copy.tasks = new Map([...this.tasks].map(([id, task]) => [id, { ...task, waits: new Map(task.waits) }]));
    copy.slots = this.slots.slice();
    copy.queue = this.queue.slice();
    copy.timers = new Map(this.timers);
    copy.sources = new Map([...this.sources].map(([id, source]) => [id, { ...source }]));
    copy.waiters = new Map(this.waiters);
    copy.totals = { ...this.totals };
    return copy;
  }

  apply(event) {
    this.t = Math.max(this.t, event.t);
    if (State.KNOWN.has(event.e)) this[event.e](event);
    this.n = event.n;
  }

  turn_start({ turn }) { this.turn = turn; this.phase = "inbox"; this.polls = 0; this.turned(); }
  turn_end() { this.phase = "idle"; }

  /** The wheel moves when a turn looks at its timers. */
  turned() { this.tick = Math.max(this.tick, Math.floor(this.t / MS)); }

  spawn({ task, slot, name, by, at, t, n }) {
    this.tasks.set(task, { id: task, slot, name, by, at, born: t, state: "waiting", polls: 0, longest: 0, waits: new Map(), awaited: null, woken: null, since: t, sinceN: n, chain: [], queued: false });
    this.slots[slot] = task;
    this.enqueue(task, t, n);
  }

  poll_start({ task: id, t, n }) {
    this.unqueue(id);
    this.polls += 1;
    this.totals.polls += 1;
    this.phase = "poll";
    this.running = id;
    this.since = t;
    const task = this.tasks.get(id);
    if (!task) return;
    task.polls += 1;
    this.becomes(task, "running", t, n);
  }

  poll_end({ task: id, outcome, t, n }) {
    this.running = null;
    const task = this.tasks.get(id);
    if (!task) return;
    task.longest = Math.max(task.longest, t - task.since);
    // Any other outcome means that its end is under way.
    if (outcome === "pending") this.becomes(task, task.queued ? "ready" : "waiting", t, n);
  }

  becomes(task, state, t, n) {
    task.state = state;
    task.since = t;
    task.sinceN = n;
  }

  wait({ task: id, on, at, t }) {
    const task = this.tasks.get(id);
    if (!task) return;
    const since = task.waits.get(on)?.since ?? t;
    // For a deadline, and for a task's end, one waits at a time.
    if (on[0] === "t" || on[0] === "j") this.over(on);
    const others = this.waiters.get(on);
    if (!others?.includes(id)) this.waiters.set(on, others ? [...others, id] : [id]);
    task.waits.set(on, { at, since });
    // A join whose own line is unknown is told by the line that spawned the other task: nobody waits there.
    task.awaited = this.waitsAt(on, at);
  }

  /** Where a task waits that told of this line; null where that is unknown. */
  waitsAt(on, at) {
    return on[0] === "j" && this.tasks.get(parts(on).id)?.at === at ? null : at;
  }

  wait_dropped({ task, on }) { this.unwait(task, on); }

  unwait(id, on) {
    this.tasks.get(id)?.waits.delete(on);
    const others = this.waiters.get(on)?.filter((who) => who !== id) ?? [];
    if (others.length) this.waiters.set(on, others);
    else this.waiters.delete(on);
  }

  over(on) {
    for (const id of this.waiters.get(on) || []) this.tasks.get(id)?.waits.delete(on);
    this.waiters.delete(on);
  }

  enqueue(id, t, n) {
    const task = this.tasks.get(id);
    if (!task || task.queued) return;
    task.queued = true;
    if (task.state !== "running") this.becomes(task, "ready", t, n);
    this.queue.push(id);
  }

  unqueue(id) {
    const task = this.tasks.get(id);
    if (!task?.queued) return;
    task.queued = false;
    if (this.queue[0] === id) this.queue.shift();
    else this.queue.splice(this.queue.indexOf(id), 1);
  }

  wake({ task: id, by, queued, t, n }) {
    this.totals.wakes += 1;
    const task = this.tasks.get(id);
    if (!task) return;
    task.woken = { by, t, n };
    task.chain = this.chainOf(by, t);
    if (queued) this.enqueue(id, t, n);
  }

  abort({ task, t, n }) {
    // It is dropped when its turn comes, so it stands in line for it.
    this.enqueue(task, t, n);
  }

  /** Why somebody was woken, and why the one who did it was running, and so on: at most six links. */
  chainOf(by, t) {
    const { kind, id } = parts(by);
    const link = { by, t };
    if (kind === "timer" && this.fired?.id === id) Object.assign(link, { set: this.fired.by, at: this.fired.at });
    const before = kind === "task" ? this.tasks.get(id)?.chain || [] : [];
    return [link, ...before.slice(0, 5)];
  }

  finish({ task: id }) {
    const task = this.tasks.get(id);
    if (!task) return;
    for (const on of [...task.waits.keys()]) this.unwait(id, on);
    this.unqueue(id);
    if (this.running === id) this.running = null;
    this.tasks.delete(id);
    if (this.slots[task.slot] === id) this.slots[task.slot] = undefined;
    this.over(`join ${id}`);
    this.totals.ended += 1;
  }

  timer_set({ timer, slot, by, deadline, at }) { this.timers.set(timer, { id: timer, slot, by, deadline, at }); }
  timer_cancelled({ timer }) { this.timers.delete(timer); this.over(`timer ${timer}`); }
  timer_fired({ timer }) {
    this.phase = "timers";
    this.turned();
    this.fired = this.timers.get(timer) || null;
    this.timer_cancelled({ timer });
  }

  source_opened({ source, slot, kind, address, by, at, read = false, write = false, read_closed = false, write_closed = false }) {
    this.sources.set(source, { id: source, slot, kind, address, by, at, read, write, read_closed, write_closed });
  }
  source_ready({ source: id, read, write, read_closed, write_closed }) {
    const source = this.sources.get(id);
    if (!source) return;
    for (const [key, on] of Object.entries({ read, write, read_closed, write_closed })) if (on) source[key] = true;
    if (read) this.over(`read ${id}`);
    if (write) this.over(`write ${id}`);
  }
  source_drained({ source: id, read, write }) {
    const source = this.sources.get(id);
    if (source && read) source.read = source.read_closed = false;
    if (source && write) source.write = source.write_closed = false;
  }
  source_closed({ source }) {
    this.over(`read ${source}`);
    this.over(`write ${source}`);
    this.sources.delete(source);
  }

  park_start({ timeout, t }) { this.phase = "park"; this.park = { timeout, t }; this.totals.parks += 1; }
  park_end() { this.park = null; }

  /** A line of what was so before the first event: what a viewer who comes late needs to know. */
  fact(fact) {
    const { fact: kind, ...what } = fact;
    if (kind === "loop") {
      Object.assign(this, { t: what.t, turn: what.turn, phase: what.phase, running: what.running ?? null, since: what.t });
      this.turned();
    } else if (kind === "task") {
      const chain = what.woken_by ? [{ by: what.woken_by, t: what.woken }] : [];
      const woken = what.woken_by ? { by: what.woken_by, t: what.woken, n: 0 } : null;
      this.tasks.set(what.task, { ...what, id: what.task, born: null, waits: new Map(), awaited: null, woken, chain, sinceN: 0 });
      this.slots[what.slot] = what.task;
      if (what.queue !== undefined) this.queue[what.queue] = what.task;
      this.tasks.get(what.task).queued = what.queue !== undefined;
      if (what.state === "running") Object.assign(this, { running: what.task, since: what.since });
    } else if (kind === "wait") {
      this.wait({ ...what, t: what.since });
    } else if (kind === "timer") {
      this.timer_set(what);
    } else if (kind === "source") {
      this.sources.set(what.source, { ...what, id: what.source });
    }
  }
}
