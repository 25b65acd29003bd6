// The picture of tasks that can never go on: who waits for whom in a circle, or the waker that nobody kept.

/** The tasks of a circle that goes through `id`, if it is still one: each waits for nothing but the next one's end. */
function circleOf(id, tasks) {
  const circle = [];
  for (let at = id; ; ) {
    const waits = tasks.get(at)?.state === "waiting" ? [...tasks.get(at).waits.keys()] : [];
    const next = waits.length === 1 ? parts(waits[0]) : {};
    if (next.kind !== "join") return null;
    circle.push(at);
    if (next.id === id) return circle;
    if (circle.includes(next.id)) return null;
    at = next.id;
  }
}

const picture = {
  /** What there is to draw: a circle of tasks, or one task that nobody can wake. */
  find() {
    const { view, rec, cursor } = app;
    if (this.of === view.n && this.rec === rec) return;
    Object.assign(this, { of: view.n, rec, circle: null, alone: null });
    for (const { kind, task, n } of rec.findings) {
      if (n > cursor) break;
      if (kind === "everyone_waits" && task) this.circle = circleOf(task, view.tasks) ?? this.circle;
      if (kind === "nobody_can_wake" && view.tasks.get(task)?.state === "waiting") this.alone = task;
    }
    app.wedged = new Set(this.circle ?? (this.alone === null ? [] : [this.alone]));
  },

  paint() {
    this.find();
    const { circle, alone } = this, shows = circle || (alone !== null ? [alone] : null);
    $("picture").hidden = !shows;
    if (!shows) return;
    const key = `${shows.join()}|${app.view.tasks.size}|${placesOf(shows)}|${this.isNarrow()}`;
    if (this.drawn === key && this.drawnOf === app.rec) return;
    Object.assign(this, { drawn: key, drawnOf: app.rec });
    if (circle) this.drawCircle(circle);
    else this.drawAlone(alone);
  },

  says(head, why) {
    say($("picture-title"), head);
    say($("picture-why"), why);
    $("drawing").setAttribute("aria-label", `${head} ${why}`);
  },

  drawCircle(circle) {
    const others = app.view.tasks.size - circle.length, names = circle.map(shortName);
    const all = names.length > 4 ? several(names.length, "task") : [names.slice(0, -1).join(", "), names.at(-1)].filter((part) => part).join(" and ");
    const rest = others === 0 ? "No other task is left." : `The loop goes on with ${others === 1 ? "the other task" : `the other ${group(others)} tasks`}.`;
    this.says(circle.length === 1 ? `${all} waits for itself` : `${all} wait for each other`, `${circle.length === 1 ? "It awaits its own end, so it" : "Each awaits the end of another, so none of them"} is ever polled again. ${rest}`);
    const draw = circle.length <= 2 ? this.drawPair : this.drawRing;
    $("drawing").replaceChildren(...draw.call(this, circle));
  },

  /** Two boxes, and an arrow each way. */
  drawPair(circle) {
    // On a narrow page the boxes stand nearer, and the words keep their size.
    const wide = this.isNarrow() ? 370 : 660, half = wide / 2 - 8 < 240 ? 62 : 82, a = 8 + 2 * half, b = wide - a, bend = (b - a) / 4;
    $("drawing").setAttribute("viewBox", `0 0 ${wide} 172`);
    const [one, two] = circle.length === 2 ? circle : [circle[0], circle[0]];
    return [
      this.node(one, 8 + half, 86, half), this.node(two, wide - 8 - half, 86, half),
      ...this.arrow(`M${a} 70C${a + bend} 34 ${b - bend} 34 ${b - 8} 66`, [b, 69], 24), ...this.label(one, wide / 2, 12, 30),
      ...this.arrow(`M${b} 102C${b - bend} 138 ${a + bend} 138 ${a + 8} 106`, [a, 103], 204), ...this.label(two, wide / 2, 145, 163),
    ];
  },

  /** More of them stand in a ring, each with an arrow to the next. What each awaits stands beside it, or on a narrow page below. */
  drawRing(circle) {
    const count = circle.length, narrow = this.isNarrow(), said = count <= 4, wide = narrow || said ? 370 : 660, half = wide === 370 ? 56 : 82;
    const high = narrow ? 120 + 34 * Math.min(count, 8) : said ? 112 : 70 + 34 * Math.min(count, 8), lowest = high / 2 + (high / 2) * (count === 3 ? 0.5 : 1) + 52;
    $("drawing").setAttribute("viewBox", `0 0 ${narrow ? 370 : 660} ${said && narrow ? lowest + 40 * count : lowest + 8}`);
    const place = (i) => {
      const angle = (2 * Math.PI * i) / count - Math.PI / 2;
      return [wide / 2 + (wide / 2 - half - 13) * Math.cos(angle), high / 2 + 30 + (high / 2) * Math.sin(angle)];
    };
    const nodes = circle.map((id, i) => this.node(id, ...place(i), half));
    const arrows = circle.flatMap((_, i) => {
      const [x, y] = place(i), [x1, y1] = place((i + 1) % count), long = Math.hypot(x1 - x, y1 - y), dx = (x1 - x) / long, dy = (y1 - y) / long;
      const room = Math.min((half + 2) / Math.max(Math.abs(dx), 0.01), 26 / Math.max(Math.abs(dy), 0.01)), end = [x1 - dx * room, y1 - dy * room];
      return this.arrow(`M${x + dx * room} ${y + dy * room}L${end[0]} ${end[1]}`, end, (Math.atan2(dy, dx) * 180) / Math.PI);
    });
    const top = narrow ? lowest + 12 : (lowest + 8 - 40 * count) / 2 + 12;
    const words = said ? circle.flatMap((id, i) => this.label(id, narrow ? 185 : 515, top + 40 * i, top + 16 + 40 * i)) : [];
    return [...arrows, ...nodes, ...words];
  },

  /** A task, and the place where its waker would be. */
  drawAlone(id) {
    const name = shortName(id);
    this.says(`Nobody can wake ${name}`, "It returned Pending, and no waker of it is left. So nothing can put it into the ready queue, whatever happens.");
    const narrow = this.isNarrow(), wide = narrow ? 370 : 660, half = narrow ? 74 : 150, from = 15 + 2 * half, to = wide - 110, between = (from + to) / 2;
    $("drawing").setAttribute("viewBox", `0 0 ${wide} 96`);
    const missing = svg("circle", { class: "missing", cx: wide - 70, cy: 48, r: 38 }), path = svg("path", { class: "missing", d: `M${to} 48L${from + 15} 48` });
    $("drawing").replaceChildren(
      this.node(id, 15 + half, 48, half), path, ...this.arrow("", [from + 3, 48], 180),
      missing, svg("text", { x: wide - 70, y: 49 }, "no waker"), svg("text", { x: between, y: 32 }, narrow ? "would wake it" : "its waker would wake it"),
      svg("text", { x: between, y: 68 }, narrow ? "poll left none" : "but poll left none"),
    );
  },

  isNarrow() { return innerWidth < 560; },

  node(id, x, y, half = 82) {
    const box = svg("g", { class: "node", "data-task": id }), name = shortName(id), room = Math.floor((2 * half) / 9.5);
    box.append(svg("rect", { x: x - half, y: y - 22, width: 2 * half, height: 44, rx: 9 }), svg("text", { x, y: y + 1 }, cut(name, room)));
    box.append(svg("title", {}, title(id)));
    return box;
  },

  arrow(path, [x, y], angle) {
    const head = svg("path", { class: "head", d: "M2 0L-12 -7L-12 7Z", transform: `translate(${x} ${y}) rotate(${angle})` });
    return path ? [svg("path", { class: "arrow", d: path }), head] : [head];
  },

  /** The await that an arrow stands for: for whom, and at which line. */
  label(id, x, y, below) {
    const [on, { at } = {}] = [...app.view.tasks.get(id).waits][0] ?? [];
    return [svg("text", { x, y }, `${inRoom(id)} awaits ${inRoom(parts(on).id)}`), svg("text", { class: "at", x, y: below }, brief(app.view.waitsAt(on, at) ?? ""))];
  },
};

function shortName(id) {
  return app.rec.names.get(id)?.name ?? `task ${id}`;
}

/** The same where two of them stand in a line. */
function inRoom(id) {
  return cut(shortName(id), 16);
}

/** Where tasks wait, for a drawing to know when it is another. */
function placesOf(ids) {
  return ids.flatMap((id) => [...(app.view.tasks.get(id)?.waits.values() ?? [])].map(({ at }) => at)).join();
}
