// The slab of tasks: a cell for each slot, or a small square each where they are many.

const KIND_OF_WAIT = { timer: "waiting for a timer", read: "waiting for a read", write: "waiting for a write", join: "waiting for a join: another task’s end" };
const SIGNS = { timer: "◔", read: "⇣", write: "⇡", join: "⋈" };

/** Class, sign, sentence and word of a slot. */
function look(id) {
  const task = app.view.tasks.get(id);
  if (!task) return ["vacant", "", "free"];
  if (task.state === "running") return ["running", "▶", "running", "running"];
  if (task.state === "ready") {
    const place = app.asking() || app.view.slots.length > 24 ? 0 : app.view.queue.length <= 400 ? app.view.queue.indexOf(id) + 1 : 0;
    return ["ready", place ? `#${place}` : "●", "ready", "ready"];
  }
  if (app.wedged.has(id)) return picture.circle ? ["lost", "⋈", "waiting in a circle", "circle"] : ["lost", "✗", "waiting, and nobody can wake it", "no waker"];
  const [on] = task.waits.keys();
  if (!on) return ["waiting", "…", "waiting for something that the runtime cannot see, such as a channel", ""];
  const { kind } = parts(on), more = task.waits.size > 1 ? "+" : "";
  return [kind, (SIGNS[kind] || "…") + more, KIND_OF_WAIT[kind] ?? "waiting for nothing of the loop’s", kind];
}

const slab = {
  cells: [], tiles: [], sprites: new Map(), w: 0, h: 0,

  build() {
    const body = $("slab").lastElementChild;
    new ResizeObserver(() => {
      Object.assign(this, { w: body.clientWidth, h: body.clientHeight });
      app.touch();
    }).observe(body);
  },

  paint() {
    const { view } = app, count = view.slots.length, busy = view.tasks.size;
    say($("slab-note"), `${several(busy, "task")} in ${several(count, "slot")}`);
    const mosaic = count > 400;
    $("cells").hidden = mosaic;
    $("mosaic").hidden = !mosaic;
    $("legend").classList.toggle("tiles", mosaic);
    if (mosaic) return this.paintMosaic();
    $("cells").classList.toggle("small", count > 96);
    $("cells").classList.toggle("roomy", count <= 6 && !this.isFull(count, 173));
    $("cells").classList.toggle("snug", count <= 96 && this.isFull(count, 123));
    while (this.cells.length < count) {
      const cell = el("button", { class: "cell" }, el("span", {}, el("span", { class: "id" }), el("span", { class: "sign" })), el("span", { class: "name" }));
      this.cells.push(cell);
      $("cells").append(cell);
    }
    while (this.cells.length > count) this.cells.pop().remove();
    for (let slot = 0; slot < count; slot++) this.paintCell(this.cells[slot], slot, view.slots[slot]);
  },

  /** Whether so many cells of two lines have no room above the legend. Where the page is one column, the panel grows up to a height. */
  isFull(count, wide) {
    const { w, h } = this;
    const room = FIXED.matches ? h - 40 : innerWidth < 700 ? 240 : 420;
    return Math.ceil(count / Math.max(1, Math.floor((w - 19) / wide))) * 46 > room;
  },

  /** Most cells are as they were; an element is touched only where it has to look otherwise. */
  paintCell(cell, slot, id) {
    const [kind, sign, words, word] = id === undefined ? ["vacant", "", "free", ""] : look(id), chosen = id !== undefined && id === app.selected;
    const [top, below] = cell.children;
    if (cell.of !== id || cell.rec !== app.rec) {
      Object.assign(cell, { of: id, rec: app.rec, looks: null, disabled: id === undefined });
      if (id === undefined) delete cell.dataset.task;
      else cell.dataset.task = id;
      say(top.firstChild, id === undefined ? "·" : String(id));
      top.firstChild.classList.toggle("alone", id === undefined || !app.rec.names.get(id)?.name);
      label(below, id === undefined ? "" : app.rec.names.get(id)?.name ?? "—");
    }
    const had = id !== undefined && app.hadThread(id), looks = `${kind}|${sign}|${words}|${chosen}|${had}`;
    if (cell.looks === looks) return;
    cell.looks = looks;
    cell.className = `cell ${kind}${had ? " had" : ""}`;
    cell.setAttribute("aria-pressed", chosen);
    cell.title = id === undefined ? `slot ${slot}, free` : `slot ${slot}: ${title(id)}, ${words}${had ? "; it had the thread just now" : ""}`;
    cell.setAttribute("aria-label", cell.title);
    top.lastChild.replaceChildren(el("i", {}, word ? word + " " : ""), sign);
  },

  /** Too many for cells: a small picture for each slot. The pixels are kept here, and the canvas gets those rows that have changed. */
  paintMosaic() {
    const canvas = $("mosaic"), ratio = window.devicePixelRatio || 1, width = this.w - 26;
    // Its size comes after the first layout.
    if (width <= 0) return;
    const count = Math.min(app.view.slots.length, 40000), room = Math.max(120, this.h - 30);
    const size = Math.max(6, Math.min(18, Math.floor(Math.sqrt((width * room) / count)))), across = Math.max(1, Math.floor(width / size));
    const rows = Math.ceil(count / across), side = Math.round(size * ratio);
    canvas.setAttribute("aria-label", `${app.view.tasks.size} tasks in ${app.view.slots.length} slots, one small square each; find one by its name or number`);
    const key = [side, size, across, count, colours.bg].join();
    if (this.key !== key) this.lay(key, { size, across, side, rows, count });
    const now = app.now(), time = Math.floor(now / 1e8), { tiles } = this;
    let first = rows, last = -1;
    for (let slot = 0; slot < count; slot++) {
      // Most tiles are as they were; only those that have changed are written.
      const id = app.view.slots[slot], looks = this.tileKey(id, time);
      if (tiles[slot] === looks) continue;
      tiles[slot] = looks;
      const row = Math.floor(slot / across);
      this.stamp(this.sprite(looks, id, now), (slot % across) * side, row * side);
      first = Math.min(first, row);
      last = row;
    }
    if (last >= 0) canvas.getContext("2d").putImageData(this.image, 0, 0, 0, first * side, canvas.width, (last + 1 - first) * side);
  },

  /** A mosaic of another shape, or in other colours. */
  lay(key, { size, across, side, rows, count }) {
    const canvas = $("mosaic"), wide = across * side, high = rows * side;
    Object.assign(canvas, { width: wide, height: high });
    Object.assign(canvas.style, { width: `${across * size}px`, height: `${rows * size}px` });
    const image = canvas.getContext("2d").createImageData(wide, high);
    Object.assign(this, { key, size, across, side, image, pixels: new Uint32Array(image.data.buffer), tiles: new Int32Array(count).fill(-1), sprites: new Map() });
  },

  /** Copies a tile's pixels to their place. */
  stamp(sprite, x, y) {
    const { side, pixels, image } = this;
    for (let row = 0; row < side; row++) {
      const to = (y + row) * image.width + x, from = row * side;
      for (let i = 0; i < side; i++) pixels[to + i] = sprite[from + i];
    }
  },

  /** The pixels of a tile that looks like this, drawn once. */
  sprite(looks, id, now) {
    const known = this.sprites.get(looks);
    if (known) return known;
    const { size, side } = this, c = el("canvas", { width: side, height: side }).getContext("2d");
    c.scale(side / size, side / size);
    c.fillStyle = colours.panel;
    c.fillRect(0, 0, size, size);
    this.tile(c, 0, 0, size - (size > 8 ? 2 : 1), id, now);
    const pixels = new Uint32Array(c.getImageData(0, 0, side, side).data.buffer);
    this.sprites.set(looks, pixels);
    return pixels;
  },

  /** How a tile looks, as a number. */
  tileKey(id, time) {
    const task = id === undefined ? undefined : app.view.tasks.get(id);
    if (!task) return 0;
    let kind = task.state === "running" ? 1 : task.state === "ready" ? 2 : 3;
    if (kind === 3 && task.waits.size) kind = 5 + "tjrw".indexOf(task.waits.keys().next().value[0]);
    const age = task.polls ? Math.max(0, Math.min(2, Math.floor((time - Math.floor(task.since / 1e8)) / 2))) : 2;
    return kind + 16 * age + (id === app.selected ? 128 : 0) + (app.wedged.has(id) ? 256 : 0);
  },

  tile(c, x, y, size, id, now) {
    const task = id === undefined ? null : app.view.tasks.get(id);
    c.fillStyle = task ? colours.line : colours.raised;
    c.fillRect(x, y, size, size);
    if (!task) return;
    if (task.state === "running") {
      c.fillStyle = colours.thread;
      c.fillRect(x, y, size, size);
    } else if (task.state === "ready") {
      // Half a square: told from a whole one without its colour.
      c.fillStyle = colours.ready;
      c.beginPath();
      c.moveTo(x, y + size);
      c.lineTo(x + size, y);
      c.lineTo(x + size, y + size);
      c.fill();
    } else if (app.wedged.has(id)) {
      c.fillStyle = colours.bad;
      c.fillRect(x, y + size / 3, size, size / 3);
    } else if (task.waits.size) {
      const { kind } = parts(task.waits.keys().next().value), inset = size > 9 ? Math.round(size * 0.3) : 0;
      c.globalAlpha = inset ? 1 : 0.32;
      c.fillStyle = kind === "timer" ? colours.timer : kind === "join" || kind === "other" ? colours.dim : colours.io;
      c.fillRect(x + inset, y + inset, size - 2 * inset, size - 2 * inset);
      c.globalAlpha = 1;
    }
    // Who had the thread a moment ago still glows.
    const age = Math.max(0, Math.min(2, Math.floor((Math.floor(now / 1e8) - Math.floor(task.since / 1e8)) / 2)));
    if (task.state === "waiting" && task.polls && age < 2) {
      c.globalAlpha = 0.75 - 0.4 * age;
      c.fillStyle = colours.thread;
      c.fillRect(x, y, size, size);
      c.globalAlpha = 1;
    }
    if (id === app.selected) {
      c.strokeStyle = colours.text;
      c.lineWidth = 2;
      c.strokeRect(x + 1, y + 1, size - 2, size - 2);
    }
  },

  taskAt(x, y) {
    return app.view.slots[Math.floor(y / this.size) * this.across + Math.floor(x / this.size)];
  },
};
