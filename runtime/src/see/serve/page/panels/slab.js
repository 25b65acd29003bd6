// The slab of tasks: a cell for each slot, or a small square each where they are many.

const KIND_OF_WAIT = { timer: "waits for a timer", read: "waits to read", write: "waits to write", join: "waits for another task to finish" };
const SIGNS = { timer: "◔", read: "⇣", write: "⇡", join: "⋈" };

/** Class, sign, sentence and word of a slot. */
function look(id) {
  const task = app.view.tasks.get(id);
  if (!task) return ["vacant", "", "free"];
  if (task.state === "running") return ["running", "▶", "running", "polled"];
  if (task.state === "ready") {
    const place = app.asking() || app.view.slots.length > 24 ? 0 : app.view.queue.length <= 400 ? app.view.queue.indexOf(id) + 1 : 0;
    return ["ready", place ? `#${place}` : "●", "ready", "ready"];
  }
  if (app.wedged.has(id)) return picture.circle ? ["lost", "⋈", "waits in a circle", "circle"] : ["lost", "✗", "nobody can wake it", "lost"];
  const [on] = task.waits.keys();
  if (!on) return ["waiting", "…", "waits for something that the runtime cannot see", ""];
  const { kind } = parts(on), more = task.waits.size > 1 ? "+" : "";
  return [kind, (SIGNS[kind] || "…") + more, KIND_OF_WAIT[kind] ?? "waits", kind];
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
    if (mosaic) return this.paintMosaic();
    $("cells").classList.toggle("small", count > 96);
    $("cells").classList.toggle("roomy", count <= 6);
    $("cells").classList.toggle("snug", count <= 96 && this.isFull(count));
    while (this.cells.length < count) {
      const cell = el("button", { class: "cell" }, el("span", {}, el("span", { class: "id" }), el("span", { class: "sign" })), el("span", { class: "name" }));
      this.cells.push(cell);
      $("cells").append(cell);
    }
    while (this.cells.length > count) this.cells.pop().remove();
    for (let slot = 0; slot < count; slot++) this.paintCell(this.cells[slot], slot, view.slots[slot]);
  },

  /** Whether so many cells of two lines have no room. Where the page is one column, the panel grows up to a height. */
  isFull(count) {
    const { w, h } = this;
    const room = FIXED.matches ? h : innerWidth < 700 ? 280 : 460;
    return Math.ceil(count / Math.max(1, Math.floor((w - 19) / 123))) * 46 > room - 10;
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
      // Cut, if it must be, before its end: names often differ there.
      const full = id === undefined ? "" : app.rec.names.get(id)?.name ?? "—", end = full.length > 8 ? /\S{0,3}$/u.exec(full)[0] : "";
      top.firstChild.classList.toggle("alone", id === undefined || !app.rec.names.get(id)?.name);
      below.replaceChildren(el("span", {}, full.slice(0, full.length - end.length)), el("span", {}, end));
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

  /** Too many for cells: a small picture for each slot. */
  paintMosaic() {
    const canvas = $("mosaic"), ratio = window.devicePixelRatio || 1, width = this.w - 26;
    const count = Math.min(app.view.slots.length, 40000), room = Math.max(120, this.h - 30);
    const size = Math.max(6, Math.min(18, Math.floor(Math.sqrt((width * room) / count)))), across = Math.max(1, Math.floor(width / size));
    const height = Math.ceil(count / across) * size;
    if (this.size !== size || this.across !== across || this.theme !== colours.bg || this.tiles.length !== count) Object.assign(this, { tiles: new Int32Array(count).fill(-1), sprites: new Map() });
    Object.assign(this, { size, across, theme: colours.bg });
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      canvas.style.height = `${height}px`;
      this.tiles.fill(-1);
    }
    canvas.setAttribute("aria-label", `${app.view.tasks.size} tasks in ${app.view.slots.length} slots, one small square each; find one by its name or number`);
    const c = canvas.getContext("2d"), inner = size - (size > 8 ? 2 : 1);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    const now = app.now(), time = Math.floor(now / 1e8);
    for (let slot = 0; slot < count; slot++) {
      // Most tiles are as they were; only what has changed is drawn.
      const id = app.view.slots[slot], key = this.tileKey(id, time);
      if (this.tiles[slot] === key) continue;
      this.tiles[slot] = key;
      c.drawImage(this.sprite(key, size, inner, ratio, id, now), (slot % across) * size, Math.floor(slot / across) * size, size, size);
    }
  },

  /** A tile that looks like this, drawn once. */
  sprite(key, size, inner, ratio, id, now) {
    if (!this.sprites.has(key)) {
      const sprite = el("canvas", { width: Math.ceil(size * ratio), height: Math.ceil(size * ratio) }), c = sprite.getContext("2d");
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.fillStyle = colours.panel;
      c.fillRect(0, 0, size, size);
      this.tile(c, 0, 0, inner, id, now);
      this.sprites.set(key, sprite);
    }
    return this.sprites.get(key);
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
