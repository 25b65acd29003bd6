// The timeline: one lane a task, drawn by order or by time; and what hands do to it.

const LANE = 20, AXIS = 20, LOOP = 26;

/** Where more tasks live than this, a lane is shown while its task does something, or is ready. */
const ALL_LANES = 200;

/** More arrows than this would be a grey cloud. */
const ARROWS = 500;

class Timeline {
  constructor(canvas) {
    Object.assign(this, { canvas, mode: "order", scale: 8, right: 0, follow: true, top: 0, lanes: [], places: new Map(), widths: new Map(), parked: [], w: 0, h: 0 });
    this.pointers();
    // To ask an element for its size at each frame would have the browser lay out the page each time.
    new ResizeObserver(() => (this.resize(), app.touch())).observe(canvas);
  }

  resize() {
    const { clientWidth: w, clientHeight: h } = this.canvas;
    Object.assign(this, { w, h });
  }

  /** How far left and right of the pixels are, and where the present is, in the axis's unit. */
  measure() {
    if (this.w === 0) this.resize();
    const { w, h } = this;
    this.gutter = this.wide();
    this.key = this.mode === "order" ? "n" : "t";
    this.end = this.key + "1";
    this.present = this.mode === "order" ? app.cursor : app.now();
    if (this.follow) {
      // A run that is still short begins at the left, and the present wanders over the page.
      this.right = Math.max(this.axis(this.present) + 30 / this.scale, this.begin() + (w - this.gutter - 10) / this.scale);
    }
    this.left = this.value(this.gutter);
    this.limit = Math.min(this.value(w), this.present);
  }

  /** As wide as the longest name of a lane so far, within bounds: it does not shrink, so that nothing moves. */
  wide() {
    const { w } = this, least = w < 600 ? 104 : 158;
    if (this.named?.rec !== app.rec || this.named.w !== w) this.named = { rec: app.rec, w, wide: least };
    if (this.named.lanes === this.lanes) return this.named.wide;
    this.named.lanes = this.lanes;
    const longest = Math.max(0, ...this.lanes.map((id) => Math.min(99, app.rec.names.get(id)?.name?.length ?? 0)));
    return (this.named.wide = Math.max(this.named.wide, Math.min(56 + 7 * longest, w * (w < 600 ? 0.36 : 0.22))));
  }

  /** By order, what nobody has seen takes little room; by time, what a viewer held takes none. */
  axis(value) { return this.mode === "order" ? app.rec.seat(value) : app.rec.fold(value); }
  begin() { return this.axis(this.mode === "order" ? app.rec.start.n : app.rec.begun); }
  x(value) { return this.w - (this.right - this.axis(value)) * this.scale; }
  value(x) {
    const there = this.right - (this.w - x) / this.scale;
    return this.mode === "order" ? app.rec.unseat(there) : app.rec.unfold(there);
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    this.measure();
    if (this.w === 0 || this.h === 0 || !this.isNews()) return;
    const canvas = this.canvas;
    if (canvas.width !== Math.round(this.w * ratio) || canvas.height !== Math.round(this.h * ratio)) {
      canvas.width = Math.round(this.w * ratio);
      canvas.height = Math.round(this.h * ratio);
    }
    const c = this.c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.w, this.h);
    this.first = Math.max(0, History.from(app.rec.history.polls, this.key, this.left) - 1);
    this.chooseLanes();
    this.drawParks();
    this.inside(() => {
      this.drawLives();
      this.drawPolls();
      this.drawWakes();
      this.drawGaps();
    });
    this.drawLoop();
    this.drawLabels();
    this.drawPresent();
    // A longer name has come: the next frame gives it room.
    if (this.wide() !== this.gutter) app.touch();
  }

  /** Whether it would look otherwise than it does. */
  isNews() {
    const key = [this.mode, this.scale, this.right, this.top, this.present, app.cursor, app.selected, app.rec.last, app.next(), app.asking(), this.wanted, this.w, this.h, this.gutter, colours.bg].join();
    const news = key !== this.drawn || app.rec !== this.drawnOf;
    this.drawn = key;
    this.drawnOf = app.rec;
    return news;
  }

  /** Draws clipped to where the lanes are. */
  inside(draw) {
    const c = this.c;
    c.save();
    c.beginPath();
    c.rect(this.gutter, AXIS, this.w - this.gutter, this.h - AXIS);
    c.clip();
    draw();
    c.restore();
  }

  chooseLanes() {
    const { lives, polls } = app.rec.history, { tasks, running, queue } = app.view, chosen = new Set(), { limit } = this;
    if (tasks.size <= ALL_LANES) for (const id of tasks.keys()) chosen.add(id);
    if (lives.size <= ALL_LANES) {
      for (const [id, life] of lives) if (life[this.key] <= limit && life[this.end] >= this.left) chosen.add(id);
    } else {
      const count = History.from(polls, this.key, limit) - this.first, stride = Math.max(1, Math.floor(count / 1500));
      for (let i = Math.max(0, polls.length ? this.first : 0); i < polls.length && polls[i][this.key] <= limit && chosen.size < 1000; i += stride) chosen.add(polls[i].task);
      for (const id of queue.slice(0, ALL_LANES)) chosen.add(id);
    }
    for (const id of [app.selected, running, app.next()]) if (lives.has(id)) chosen.add(id);
    this.lanes = [...chosen].sort((a, b) => a - b);
    this.places = new Map(this.lanes.map((id, i) => [id, i]));
    const room = this.h - AXIS - LOOP, most = Math.max(0, this.lanes.length * LANE + 8 - room);
    const shown = this.wanted ?? (this.follow ? (this.places.has(app.selected) ? app.selected : app.next() ?? running ?? app.lastPolled) : null);
    this.wanted = null;
    if (most > 0) this.bringIntoView(shown, room);
    this.top = Math.max(0, Math.min(this.top, most));
  }

  /** While following, one sees who is selected, or was polled last. */
  bringIntoView(id, room) {
    const place = this.places.get(id);
    if (place === undefined) return;
    const y = place * LANE;
    if (y < this.top) this.top = Math.max(0, y - LANE);
    else if (y + 2 * LANE > this.top + room) this.top = y + 2 * LANE - room;
  }

  y(id) {
    const place = this.places.get(id);
    return place === undefined ? undefined : AXIS + LOOP + place * LANE - this.top + LANE / 2;
  }

  seen(y) { return y !== undefined && y > AXIS + LOOP - LANE && y < this.h + LANE; }

  /**
   * The next of a list that is to be drawn: however many there are, no more are drawn than there is room for. Of those
   * that begin on the same pixel it is the last, which alone may reach beyond it.
   */
  after(list, i, pixels = 1) {
    const next = list[i + 1];
    if (!next || this.x(next[this.key]) - this.x(list[i][this.key]) >= pixels) return i + 1;
    return Math.max(i + 1, History.from(list, this.key, this.value(this.x(list[i][this.key]) + pixels)) - 1);
  }

  drawParks() {
    const c = this.c, { parks } = app.rec.history;
    this.parked = [];
    for (let i = Math.max(0, History.from(parks, this.key, this.left) - 1); i < parks.length; i = this.after(parks, i, 2)) {
      const park = parks[i];
      if (park[this.key] > this.limit) break;
      const x = Math.max(this.gutter, this.x(park[this.key])), to = this.x(Math.min(park[this.end], this.present));
      if (to < this.gutter || to - x < 0.3) continue;
      this.parked.push([park, x, to]);
      c.globalAlpha = 0.5;
      c.fillStyle = colours.raised;
      c.fillRect(x, AXIS, to - x, this.h - AXIS);
      c.globalAlpha = 1;
    }
  }

  drawLives() {
    const c = this.c, { lives } = app.rec.history;
    const selected = this.y(app.selected);
    if (this.seen(selected)) {
      c.globalAlpha = 0.7;
      c.fillStyle = colours.line;
      c.fillRect(this.gutter, selected - LANE / 2, this.w, LANE);
      c.globalAlpha = 1;
    }
    for (const id of this.lanes) {
      const y = this.y(id), life = lives.get(id);
      if (!this.seen(y) || !life) continue;
      const x = this.x(life[this.key]), to = this.x(Math.min(life[this.end], this.present));
      c.fillStyle = colours.faint;
      c.fillRect(x, y - 0.5, to - x, 1);
      // Born: a standing line. Over: a small square.
      if (x > this.gutter) c.fillRect(x - 0.5, y - 5, 1, 10);
    }
  }

  drawPolls() {
    const { lives } = app.rec.history, { tasks } = app.view;
    for (const id of this.lanes) {
      const y = this.y(id), polls = lives.get(id)?.polls;
      if (!this.seen(y) || !polls) continue;
      for (let i = Math.max(0, History.from(polls, this.key, this.left) - 1); i < polls.length; i = this.after(polls, i)) {
        const poll = polls[i];
        if (poll[this.key] > this.limit || poll.n > app.cursor) break;
        const x = this.x(poll[this.key]), to = this.x(Math.min(poll[this.end], this.present));
        this.drawPoll(poll, x, Math.max(to - x, 2), y);
      }
      const task = tasks.get(id);
      if (task?.queued) this.drawQueued(task);
    }
    this.drawNext();
  }

  /** The poll that the loop is held before. */
  drawNext() {
    const c = this.c, y = this.y(app.next()), x = this.x(this.present);
    if (!this.seen(y)) return;
    c.strokeStyle = colours.thread;
    c.lineWidth = 1.5;
    c.setLineDash([3, 2]);
    c.strokeRect(x + 3, y - 7, 20, 14);
    c.setLineDash([]);
  }

  drawQueued(task) {
    const y = task && this.y(task.id);
    if (!this.seen(y)) return;
    const x = this.x(this.mode === "order" ? task.sinceN : task.since);
    this.c.fillStyle = colours.ready;
    this.c.fillRect(x, y - 2, Math.max(2, this.x(this.present) - x), 4);
  }

  drawPoll(poll, x, width, y) {
    const c = this.c, over = poll.n1 <= app.cursor;
    const queued = this.x(this.mode === "order" ? poll.qn : poll.qt);
    if (x - queued > 1) {
      c.fillStyle = colours.ready;
      c.fillRect(queued, y - 2, x - queued, 4);
    }
    const slow = (over ? poll.t1 : app.now()) - poll.t >= SLOW;
    c.fillStyle = slow ? colours.bad : colours.thread;
    const round = Math.min(3, width / 2);
    if (width < 5) {
      c.fillRect(x, y - 7, width, 14);
    } else {
      c.beginPath();
      c.roundRect(x, y - 7, width, 14, round);
      c.fill();
    }
    if (slow) {
      c.fillStyle = colours.slow;
      c.globalAlpha = 0.5;
      c.fillRect(x, y - 7, width, 14);
      c.globalAlpha = 1;
    }
    if (over && poll.end !== "pending") {
      c.fillStyle = poll.end === "ready" ? colours.text : colours.bad;
      c.font = `700 12px ${colours.mono}`;
      c.textAlign = "left";
      c.textBaseline = "middle";
      if (poll.end === "ready") c.fillRect(x + width + 2, y - 3.5, 7, 7);
      else c.fillText("✗", x + width + 2, y + 1);
    }
  }

  drawWakes() {
    const { wakes } = app.rec.history, { limit } = this;
    const from = History.from(wakes, this.key, this.left), to = Math.min(History.from(wakes, "n", app.cursor + 1), History.from(wakes, this.key, limit + 1e-9 + (this.mode === "order" ? 1 : 0)));
    const all = to - from <= ARROWS, strong = Math.max(0.4, Math.min(0.9, (this.w - this.gutter) / (9 * (to - from))));
    let drawn = 0;
    // Where there are too many, only those of the selected task are drawn, the last first.
    if (!all && app.selected === null) return;
    for (let i = to - 1; i >= Math.max(from, to - 20000) && drawn < ARROWS; i--) {
      const wake = wakes[i], mine = app.selected !== null && (wake.task === app.selected || (wake.kind === "task" && wake.who === app.selected));
      if (!all && !mine) continue;
      this.drawWake(wake, app.selected === null || mine || !this.places.has(app.selected) ? (mine ? 0.95 : strong) : 0.25);
      drawn += 1;
    }
  }

  drawWake(wake, alpha) {
    const c = this.c, { kind, who: id } = wake, y = this.y(wake.task);
    const begin = (kind === "task" && this.y(id)) || AXIS + LOOP / 2;
    if (y === undefined || !(this.seen(y) || this.seen(begin))) return;
    const x = this.x(wake[this.key]), [colour] = CAUSES[kind] || CAUSES.outside;
    c.globalAlpha = wake.queued ? alpha : alpha * 0.5;
    c.strokeStyle = c.fillStyle = colours[colour];
    c.lineWidth = 1.2;
    c.setLineDash(wake.queued ? [] : [2, 3]);
    c.beginPath();
    if (begin === y) {
      c.arc(x, y - 8, 4.5, Math.PI * 0.8, Math.PI * 2.2);
      c.stroke();
    } else {
      const down = y > begin ? 1 : -1, tip = y - down * 3;
      c.moveTo(x, begin);
      c.lineTo(x, tip - down * 4);
      c.stroke();
      c.setLineDash([]);
      c.beginPath();
      c.moveTo(x, tip);
      c.lineTo(x - 3.5, tip - down * 6);
      c.lineTo(x + 3.5, tip - down * 6);
      c.fill();
    }
    c.setLineDash([]);
    c.globalAlpha = 1;
  }

  drawGaps() {
    const c = this.c;
    this.unseen = [];
    for (const gap of app.rec.history.gaps) {
      const x = this.x(gap[this.key]), to = Math.max(x + 4, this.x(gap[this.end]));
      if (to < this.gutter || x > this.w || gap.n1 > app.cursor) continue;
      this.unseen.push([gap, x, to]);
      for (const fill of [colours.panel, colours.hatch]) {
        c.fillStyle = fill;
        c.fillRect(x, AXIS, to - x, this.h);
      }
      c.fillStyle = colours.bad;
      c.fillRect(x, AXIS, 1, this.h);
      c.fillRect(to - 1, AXIS, 1, this.h);
    }
  }

  /** The first lane is the loop's own: turns, parks, and the sign of what woke somebody. */
  drawLoop() {
    const c = this.c, top = AXIS;
    c.fillStyle = colours.panel;
    c.fillRect(0, 0, this.w, AXIS);
    c.fillRect(0, top, this.gutter, LOOP);
    c.fillRect(this.gutter, top, this.w, LOOP);
    this.inside(() => {
      this.drawLoopParks(top);
      this.drawSigns(top);
      this.drawHolds(top);
      let free = -999;
      for (const [{ n, n1 }, x, to] of this.unseen) {
        const half = this.tag(`${several(n1 - n, "event")} not seen`, (x + to) / 2, top, colours.bad, (x + to) / 2 > free ? Infinity : 0);
        if (half) free = (x + to) / 2 + 2 * half;
      }
    });
    c.fillStyle = colours.line;
    c.fillRect(0, AXIS - 0.5, this.w, 1);
    c.fillRect(0, AXIS + LOOP - 0.5, this.w, 1);
    this.drawTurns();
  }

  /** Where a viewer held the loop: by time a line without a width. */
  drawHolds(top) {
    const c = this.c, { holds } = app.rec.history;
    let free = -999, last = -999;
    for (let i = History.from(holds, this.end.replace("n1", "n"), this.left); i < holds.length && holds[i].n <= app.cursor; i++) {
      const { n, t, t1 } = holds[i], x = this.x(this.mode === "order" ? n : t1);
      if (x < this.gutter || x > this.w) continue;
      c.fillStyle = colours.thread;
      // In slow motion there is one before each poll.
      c.globalAlpha = x - last < 40 ? 0.2 : 0.6;
      last = x;
      c.fillRect(x - 0.5, top, 1, this.h);
      c.globalAlpha = 1;
      const half = this.tag(`held ${span(t1 - t)}`, x, top, colours["thread-text"], x - free);
      if (half) free = x + half;
    }
  }

  drawLoopParks(top) {
    const c = this.c;
    c.textBaseline = "middle";
    for (const [park, x, to] of this.parked) {
      c.fillStyle = colours.hatch;
      if (to - x < 8) c.fillRect(x, top + 6, Math.max(1, to - x), LOOP - 12);
      else {
        c.beginPath();
        c.roundRect(x, top + 6, to - x, LOOP - 12, 3);
        c.fill();
      }
      if (to - x < 60) continue;
      const over = park.n1 <= app.cursor;
      this.tag(`parked ${span((over ? park.t1 : app.now()) - park.t)}`, (x + to) / 2, top, colours.soft, to - x);
    }
  }

  /** Words in the loop's lane, around `x`, if there is so much room. Returns half of how wide they are. */
  tag(words, x, top, colour, room) {
    const c = this.c;
    c.font = `600 11px ${colours.sans}`;
    c.textAlign = "center";
    const wide = this.textWidth(words) + 12;
    if (room < wide) return 0;
    x = Math.max(x, this.gutter + wide / 2);
    c.fillStyle = colours.panel;
    c.fillRect(x - wide / 2, top + 5, wide, LOOP - 10);
    c.fillStyle = colour;
    c.fillText(words, x, top + LOOP / 2 + 0.5);
    return wide / 2;
  }

  drawSigns(top) {
    const c = this.c, { wakes } = app.rec.history, from = History.from(wakes, this.key, this.left);
    let last = -99;
    for (let i = from; i < wakes.length && wakes[i].n <= app.cursor; i = wakes[i].kind === "task" ? i + 1 : this.after(wakes, i, 7)) {
      const wake = wakes[i], { kind } = wake, x = this.x(wake[this.key]);
      if (x > this.w) break;
      if (kind === "task" || x - last < 7) continue;
      last = x;
      const [colour] = CAUSES[kind] || CAUSES.outside, y = top + LOOP / 2;
      c.fillStyle = colours[colour];
      c.beginPath();
      // A timer is a disc, the kernel a diamond, a thread a triangle, anything else a square.
      if (kind === "timer") c.arc(x, y, 4, 0, 7);
      else if (kind === "source") c.moveTo(x, y - 5), c.lineTo(x + 5, y), c.lineTo(x, y + 5), c.lineTo(x - 5, y);
      else if (kind === "thread") c.moveTo(x, y - 5), c.lineTo(x + 5, y + 4), c.lineTo(x - 5, y + 4);
      else c.rect(x - 3, y - 3, 6, 6);
      c.fill();
    }
  }

  drawTurns() {
    const c = this.c;
    c.textBaseline = "middle";
    c.textAlign = "left";
    c.font = `11px ${colours.sans}`;
    c.fillStyle = colours.dim;
    if (this.mode === "time") return this.drawTicks();
    const { turns } = app.rec.history;
    let last = -999;
    for (let i = History.from(turns, "n", this.left); i < turns.length && turns[i].n <= app.cursor; i = this.after(turns, i, 3)) {
      const x = this.x(turns[i].n);
      if (x > this.w) break;
      if (x < this.gutter || x - last < 3) continue;
      const words = `turn ${group(turns[i].turn)} · ${moment(turns[i].t)}`;
      c.globalAlpha = 0.8;
      c.fillRect(x, AXIS - 6, 1, 6);
      c.globalAlpha = 1;
      if (x - last > this.textWidth(words) + 16 || last < 0) c.fillText(words, x + 4, AXIS / 2), (last = x);
    }
  }

  drawTicks() {
    const c = this.c, rough = 110 / this.scale, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 1e-9)));
    const { holds } = app.rec.history;
    let last = -99;
    for (let at = Math.ceil(Math.max(0, this.value(this.gutter)) / step) * step, tries = 0; tries < 400; at += step, tries++) {
      const x = this.x(at);
      if (x > this.w) break;
      // What was held takes no room, and has no ticks.
      if (x - last < 20) {
        const hold = holds[History.from(holds, "t1", at)];
        if (hold && hold.t < at) at = Math.floor(hold.t1 / step) * step;
        continue;
      }
      last = x;
      c.fillRect(x, AXIS - 6, 1, 6);
      c.fillText(moment(at, digits), x + 4, AXIS / 2);
    }
  }

  drawLabels() {
    const c = this.c;
    c.save();
    c.beginPath();
    c.rect(0, AXIS + LOOP, this.w, this.h);
    c.clip();
    c.fillStyle = colours.panel;
    c.fillRect(0, AXIS + LOOP, this.gutter, this.h);
    c.textBaseline = "middle";
    c.font = `600 11px ${colours.mono}`;
    const edge = Math.max(30, this.textWidth(String(this.lanes.at(-1))) + 10);
    for (const id of this.lanes) {
      const y = this.y(id);
      if (!this.seen(y)) continue;
      if (id === app.selected) {
        c.fillStyle = colours.line;
        c.fillRect(0, y - LANE / 2, this.gutter, LANE);
      }
      c.textAlign = "right";
      c.font = `600 11px ${colours.mono}`;
      c.fillStyle = colours.dim;
      c.fillText(String(id), edge, y + 0.5);
      c.textAlign = "left";
      c.font = `${id === app.view.running ? "650" : "500"} 12px ${colours.sans}`;
      c.fillStyle = id === app.view.running ? colours["thread-text"] : app.view.tasks.has(id) ? colours.text : colours.dim;
      c.fillText(this.fitted(app.rec.names.get(id)?.name ?? "—", this.gutter - edge - 14), edge + 7, y + 0.5);
    }
    c.restore();
    c.fillStyle = colours.line;
    c.fillRect(this.gutter - 0.5, AXIS, 1, this.h);
    c.fillStyle = colours.soft;
    c.textAlign = "left";
    c.textBaseline = "middle";
    c.font = `600 12px ${colours.sans}`;
    c.fillText("the loop", 12, AXIS + LOOP / 2 + 0.5);
    this.drawScroll();
  }

  drawScroll() {
    const room = this.h - AXIS - LOOP, all = this.lanes.length * LANE + 8;
    if (all <= room) return;
    this.c.fillStyle = colours.faint;
    this.c.beginPath();
    this.c.roundRect(this.w - 6, AXIS + LOOP + (this.top / all) * room, 4, Math.max(18, (room / all) * room), 2);
    this.c.fill();
  }

  drawPresent() {
    const x = this.x(this.present);
    if (x < this.gutter || x > this.w) return;
    const c = this.c;
    c.fillStyle = colours.thread;
    c.fillRect(x, AXIS, 1.5, this.h);
    c.beginPath();
    c.moveTo(x - 4, AXIS);
    c.lineTo(x + 5.5, AXIS);
    c.lineTo(x + 0.75, AXIS + 6);
    c.fill();
  }

  textWidth(text) {
    const key = this.c.font + text;
    if (this.widths.size > 3000) this.widths.clear();
    if (!this.widths.has(key)) this.widths.set(key, this.c.measureText(text).width);
    return this.widths.get(key);
  }

  /** The text, cut so that it fits: in its middle, for names often differ at their ends. */
  fitted(text, width) {
    if (this.textWidth(text.slice(0, 99)) <= width && text.length < 99) return text;
    const letters = [...text], end = letters.slice(-3).join("");
    let low = 0, high = Math.min(letters.length - 3, 99);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.textWidth(letters.slice(0, middle).join("") + "…" + end) <= width) low = middle;
      else high = middle - 1;
    }
    return letters.slice(0, low).join("") + "…" + end;
  }

  // What hands do to it.

  zoom(factor, x = this.w - 30) {
    this.measure();
    const held = this.right - (this.w - x) / this.scale;
    const [least, most] = this.mode === "order" ? [0.002, 60] : [1e-13, 0.2];
    this.scale = Math.max(least, Math.min(most, this.scale * factor));
    if (!this.follow) this.right = held + (this.w - x) / this.scale;
    app.touch();
  }

  pan(pixels) {
    this.measure();
    this.setFollow(false);
    this.right -= pixels / this.scale;
    this.stay();
    app.touch();
  }

  /** Goes neither beyond the beginning nor far beyond the present. */
  stay() {
    this.right = Math.max(this.begin() + 20 / this.scale, Math.min(this.right, this.axis(this.present) + ((this.w - this.gutter) * 0.7) / this.scale));
  }

  /** Shows a task: its lane, and its last poll, or where it was spawned. */
  reveal(id) {
    this.measure();
    this.wanted = id;
    const life = app.rec.history.lives.get(id), last = life?.polls.findLast(({ n }) => n <= app.cursor) ?? life;
    if (!last || this.w === 0) return;
    const x = this.x(last[this.key]), end = this.x(Math.min(last[this.end], this.present));
    if (end >= this.gutter + 4 && x <= this.w - 8) return;
    this.setFollow(false);
    this.right = this.axis(last[this.key]) + ((this.w - this.gutter) * 0.6) / this.scale;
    this.stay();
  }

  setFollow(on) {
    this.follow = on;
    $("follow").setAttribute("aria-pressed", on);
    app.touch();
  }

  /** While the loop is held nothing passes but the order of events. Afterwards all is as it was. */
  hold(on) {
    if (on && !this.before && this.mode === "time") {
      const { scale } = this;
      this.setMode("order");
      this.before = { scale };
    } else if (!on && this.before) {
      const { scale } = this.before;
      this.setMode("time");
      this.scale = scale;
    }
  }

  setMode(mode) {
    this.before = null;
    this.mode = mode;
    $("by-order").setAttribute("aria-pressed", mode === "order");
    $("by-time").setAttribute("aria-pressed", mode === "time");
    this.fit();
  }

  /** All of a short run, or room for what is to come; the last stretch of a long one. */
  fit(ahead) {
    this.measure();
    const { rec } = app, wide = Math.max(60, this.w - this.gutter - 60);
    const whole = (this.mode === "order" ? rec.seat(rec.last) : rec.tip.t) - this.begin();
    const most = this.mode === "order" ? 450 : 4 * SECOND, least = this.mode === "order" ? 60 : MS;
    this.scale = wide / (ahead ? most : Math.max(least, Math.min(most, whole)));
    this.setFollow(true);
  }

  what(x, y) {
    if (y < AXIS + LOOP) return null;
    const id = this.lanes[Math.floor((y - AXIS - LOOP + this.top) / LANE)];
    if (id === undefined) return null;
    const value = this.value(x), { lives, wakes } = app.rec.history, polls = lives.get(id)?.polls ?? [], near = 5 / this.scale;
    let poll = null, wake = null;
    for (let i = Math.min(polls.length - 1, History.from(polls, this.key, value + near)), tries = 0; i >= 0 && tries < 400 && !poll; i--, tries++) {
      if (polls[i].n <= app.cursor && polls[i][this.key] <= value + near && polls[i][this.end] >= value - near) poll = polls[i];
    }
    for (let i = History.from(wakes, this.key, value - near); i < wakes.length && wakes[i][this.key] <= value + near && !wake; i++) if (wakes[i].task === id) wake = wakes[i];
    return { id, poll, wake };
  }

  pointers() {
    const canvas = this.canvas;
    let drag = null;
    const at = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      drag = { x: event.clientX, y: event.clientY, moved: 0 };
      if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return this.hover(event, ...at(event));
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      drag.moved += Math.abs(dx) + Math.abs(dy);
      Object.assign(drag, { x: event.clientX, y: event.clientY });
      if (drag.moved < 4) return;
      if (Math.abs(dx) > 0) this.pan(dx);
      // Following, it goes where the loop is.
      if (dy && this.lanes.length * LANE + 8 > this.h - AXIS - LOOP) this.setFollow(false);
      this.top -= dy;
      app.touch();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && drag.moved < 4) {
        const hit = this.what(...at(event));
        if (hit) app.choose(hit.id);
      }
      drag = null;
    });
    canvas.addEventListener("pointercancel", () => (drag = null));
    canvas.addEventListener("pointerleave", () => ($("tip").hidden = true));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  wheel(event) {
    const fixed = document.documentElement.scrollHeight <= window.innerHeight + 2;
    if (!fixed && !event.ctrlKey) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(-(event.deltaX || event.deltaY));
    else if (event.offsetX < this.gutter) this.top += event.deltaY, this.setFollow(false);
    else this.zoom(Math.exp(-event.deltaY * 0.0016), event.offsetX);
  }

  hover(event, x, y) {
    const gap = this.unseen?.find(([, from, to]) => x >= from && x <= to)?.[0], hit = gap ? {} : this.what(x, y), tip = $("tip");
    tip.hidden = !hit;
    if (!hit) return;
    const lines = [gap ? unseen(gap) : title(hit.id)];
    if (x > this.gutter && hit.poll) {
      const over = hit.poll.n1 <= app.cursor;
      lines.push(`polled for ${span((over ? hit.poll.t1 : app.now()) - hit.poll.t)} at ${moment(hit.poll.t, 6)}${over ? `: ${hit.poll.end}` : ""}`);
      if (hit.poll.t > hit.poll.qt) lines.push(`was in the queue for ${span(hit.poll.t - hit.poll.qt)} before`);
    }
    if (x > this.gutter && hit.wake) lines.push(`woken by ${cause(hit.wake.by)} at ${moment(hit.wake.t, 6)}`);
    if (app.predict && lines.length > 1) lines.length = 1;
    tip.textContent = lines.join("\n");
    tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY - tip.offsetHeight - 12}px`;
  }
}
