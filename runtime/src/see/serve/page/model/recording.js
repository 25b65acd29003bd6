// The recording: everything that was received, and the state at any point of it.

/** How many events a live page keeps, and in how many pieces; the oldest go first. */
const KEPT = 300000, PIECES = 40;

/** As many events wide is a gap in the timeline, however many nobody has seen. */
const GAP = 20;

/** Events without a gap, and the states from which any other is reached: the first is what was so before them. */
class Piece {
  constructor(before) {
    this.base = new State();
    this.base.n = before;
    this.events = [];
    this.copyAt = 20000;
    this.snapshots = [this.base];
  }

  get last() { return this.base.n + this.events.length; }
}

/** One piece, or several where a live page fell behind: what happened between them it has not seen. */
class Recording {
  constructor(header) {
    this.header = header || { version: 1, clock: "real", first: 1 };
    this.pieces = [new Piece(this.header.first - 1)];
    this.facts = [];
    this.names = new Map();
    this.history = new History();
    this.findings = [];
    this.rewind();
  }

  get piece() { return this.pieces.at(-1); }
  get events() { return this.piece.events; }
  get start() { return this.pieces[0].base; }
  get last() { return this.piece.last; }
  get begun() { return this.pieces[0].events[0]?.t ?? this.start.t; }

  /** The piece that knows the state after event `n`: what nobody has seen is as it was before. */
  pieceOf(n) { return this.pieces.findLast(({ base }) => base.n <= n) ?? this.pieces[0]; }

  /** Event `n`, if it was seen. */
  event(n) {
    const { base, events } = this.pieceOf(n - 1);
    return events[n - base.n - 1];
  }

  /** The number after `n` that can be shown: of the next event, or of the end of a gap. */
  next(n) {
    return n < this.pieceOf(n).last ? n + 1 : this.pieces.find(({ base }) => base.n > n)?.base.n ?? n;
  }

  /** Where event `n` is on an axis on which gaps are narrow; and the event that is there. */
  seat(n) {
    let folded = 0;
    for (const gap of this.history.gaps) {
      if (n <= gap.n) break;
      folded += (Math.min(n, gap.n1) - gap.n) * (1 - GAP / (gap.n1 - gap.n));
    }
    return n - folded;
  }
  unseat(seat) {
    let n = seat;
    for (const gap of this.history.gaps) {
      if (n <= gap.n) break;
      const wide = gap.n1 - gap.n;
      n = n < gap.n + GAP ? gap.n + ((n - gap.n) * wide) / GAP : n + wide - GAP;
    }
    return n;
  }

  /** The time `t` without those stretches in which a viewer held the loop; and the time that is there. */
  fold(t) {
    const { holds } = this.history, i = History.from(holds, "t1", t), hold = holds[i];
    const before = i > 0 ? holds[i - 1].sum + holds[i - 1].t1 - holds[i - 1].t : this.history.heldBefore;
    return t - before - (hold && t > hold.t ? t - hold.t : 0);
  }
  unfold(there) {
    const { holds } = this.history;
    let low = 0, high = holds.length;
    while (low < high) {
      const middle = (low + high) >> 1, { t1, t, sum } = holds[middle];
      if (t - sum < there) low = middle + 1;
      else high = middle;
    }
    const last = holds[low - 1];
    return there + (last ? last.sum + last.t1 - last.t : this.history.heldBefore);
  }

  /** Makes the state that a piece goes on from, once all facts are known. */
  rewind() {
    this.stale = false;
    this.tip = this.piece.base.clone();
  }

  /** The same run again. Where it went on without this page, what was seen stays, and the facts that follow begin a new piece. */
  goOn({ first }) {
    this.knows = first - 1 <= this.last;
    if (this.knows) return;
    this.history.skip({ n: this.last, t: this.tip.t, n1: first - 1, t1: this.tip.t });
    if (!this.events.length && this.pieces.length > 1) this.pieces.pop();
    this.pieces.push(new Piece(first - 1));
    this.facts = [];
    this.stale = true;
  }

  /** A finding from before the first event that is shown. */
  foundBefore(finding) {
    if (finding.n <= this.start.n) this.findings.push(finding);
  }

  fact(fact) {
    if (this.knows) return;
    const { base } = this.piece, { task: id } = fact, { lives, gaps } = this.history;
    this.facts.push(fact);
    base.fact(fact);
    this.stale = true;
    if (fact.fact === "loop" && gaps.at(-1)?.n1 === base.n) gaps.at(-1).t1 = fact.t;
    if (fact.fact !== "task") return;
    this.know(fact);
    lives.set(id, { n: base.n, t: base.t, polls: [], ...lives.get(id), n1: Infinity, t1: Infinity });
    if (fact.state === "running") this.history.polled(id, base.n, fact.since);
  }

  /** What the panels say of a task also when it is over. */
  know({ task, name, at, by, slot, n }) {
    this.names.set(task, { name: name?.trim() ? plain(name) : undefined, at, by, slot, n });
  }

  push(event) {
    if (typeof event.n !== "number" || event.n !== this.last + 1) return;
    if (this.stale) this.rewind();
    if (event.e === "spawn") this.know(event);
    this.tip.apply(event);
    this.events.push(event);
    if (event.e === "finding") this.found(event);
    if (event.e === "poll_end") this.judge(event, this.history.open);
    this.history.add(event, this.tip);
    // To copy a state costs as much as some events for each of its tasks.
    if (this.events.length >= this.piece.copyAt) {
      this.piece.snapshots.push(this.tip.clone());
      this.piece.copyAt = this.events.length + Math.max(20000, 10 * this.tip.tasks.size);
    }
  }

  /** A slow poll is a finding also where the program has no diagnosis that would say so. */
  judge({ n, t, task }, poll) {
    const told = this.findings.at(-1);
    if (!poll || t - poll.t < SLOW || (told?.kind === "slow_poll" && told.task === task && told.n > poll.n)) return;
    this.findings.push({ n, t, kind: "slow_poll", task, took: t - poll.t });
  }

  found(finding) {
    const own = this.findings.at(-1);
    if (own?.took && own.kind === finding.kind && own.task === finding.task && finding.n - own.n < 20) this.findings.pop();
    this.findings.push(finding);
  }

  /** Forgets the oldest third of what is kept. */
  trim() {
    let all = this.pieces.reduce((sum, { events }) => sum + events.length, 0);
    if (all <= KEPT && this.pieces.length <= PIECES) return;
    while (this.pieces.length > 1 && (all > (KEPT * 2) / 3 || this.pieces.length > PIECES / 2)) all -= this.pieces.shift().events.length;
    const [piece] = this.pieces, surplus = all - (KEPT * 2) / 3;
    if (surplus > 0) {
      const base = piece.snapshots.find((state) => state.n >= piece.base.n + surplus) ?? piece.snapshots.at(-1);
      piece.copyAt -= base.n - piece.base.n;
      piece.events = piece.events.slice(base.n - piece.base.n);
      piece.snapshots = piece.snapshots.filter((state) => state.n >= base.n);
      piece.base = base;
      if (piece === this.piece) this.facts = null;
    }
    const { n: first, tasks } = this.start;
    this.findings = this.findings.filter((finding) => finding.n > first);
    this.history.forget(first);
    for (const [id, { n }] of this.names) if (n < first && !tasks.has(id)) this.names.delete(id);
  }

  /** The state after event `n`, reached from `from` if that is on the way. */
  at(n, from) {
    if (this.stale) this.rewind();
    n = Math.max(this.start.n, Math.min(n, this.last));
    if (n === this.last) return this.tip;
    const { base, last, snapshots } = this.pieceOf(n), to = Math.min(n, last);
    let state = from && from !== this.tip && from.n <= to && to - from.n < 40000 && from.n >= base.n ? from : null;
    state ||= snapshots.findLast((snapshot) => snapshot.n <= to).clone();
    while (state.n < to) state.apply(this.event(state.n + 1));
    return state;
  }

  /** What a state says, as lines of a recording. */
  static factsOf(state) {
    const facts = [{ fact: "loop", t: state.t, turn: state.turn, phase: state.phase, running: state.running }];
    for (const task of state.tasks.values()) {
      const { id, slot, name, state: is, polls, longest, by, at, woken, since } = task;
      const queue = task.queued ? state.queue.indexOf(id) : undefined;
      facts.push({ fact: "task", task: id, slot, name, state: is, queue, polls, longest, by, at, woken_by: woken?.by, woken: woken?.t, since });
    }
    for (const { id, waits } of state.tasks.values()) for (const [on, { at, since }] of waits) facts.push({ fact: "wait", task: id, on, at, since });
    for (const { id, slot, deadline, by, at } of state.timers.values()) facts.push({ fact: "timer", timer: id, slot, deadline, by, at });
    for (const { id, ...source } of state.sources.values()) facts.push({ fact: "source", source: id, ...source });
    return facts;
  }

  /** The last piece as a recording, which has no gaps. */
  text() {
    const { base, events } = this.piece, dropped = base.n;
    const lines = [...(dropped ? this.facts || Recording.factsOf(base) : []), ...events];
    const header = { ...this.header, first: dropped + 1, dropped, lines: lines.length, written: "asked" };
    return [header, ...lines].map((line) => JSON.stringify(line) + "\n");
  }
}

function parse(line) {
  try {
    const what = JSON.parse(line);
    return what && typeof what === "object" ? what : null;
  } catch {
    return null;
  }
}

/** Reads a recording's text as far as it goes; `cut` then says why not further. It throws if there is nothing to show. */
function read(text) {
  if (!text) throw new Error("it is empty: the program that writes it runs still, or was killed");
  const lines = text.split("\n"), header = parse(lines[0] || "");
  if (header?.oneloop !== "events") throw new Error("its first line is not the header of a recording of oneloop");
  if (header.version !== 1) throw new Error(`it is of version ${header.version}, and this page reads version 1`);
  if (!Number.isSafeInteger(header.first)) throw new Error('its header does not say which event is the "first"');
  const rec = new Recording(header);
  if (lines.at(-1) === "") lines.pop();
  for (let i = 1; i < lines.length && !rec.cut; i++) rec.cut = take(rec, lines[i], i + 1);
  const missing = header.lines - (lines.length - 1);
  if (missing > 0) rec.cut ??= `${missing} of the ${header.lines} lines behind its header are missing`;
  if (rec.events.length === 0) throw new Error(rec.cut ?? "it holds no event");
  return rec;
}

/** Takes in one line. Returns why it cannot be taken, if so. */
function take(rec, line, number) {
  if (!line.trim()) return null;
  const what = parse(line);
  if (!what) return `line ${number} is not JSON`;
  try {
    if (what.fact) {
      rec.fact(what);
    } else if (what.e) {
      if (what.n !== rec.last + 1) return `line ${number} is event ${what.n}, where event ${rec.last + 1} was expected`;
      rec.push(what);
    }
    return null;
  } catch {
    return `line ${number} lacks a part that it needs`;
  }
}
