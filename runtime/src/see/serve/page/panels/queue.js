// The ready queue: the task that is running, and behind it those that are ready, in order.

/** So many are shown by name. */
const IN_LINE = 120;

const line = {
  rows: [], w: 0, h: 0, wide: 98,

  build() {
    const body = $("queue").lastElementChild;
    new ResizeObserver(() => {
      Object.assign(this, { w: body.clientWidth - 24, h: body.clientHeight - 10, rec: null });
      app.touch();
    }).observe(body);
  },

  /** Columns as wide as the longest name, if all tasks then have room; else narrower ones. They stay while tasks come and go. */
  fit() {
    const { tasks, queue } = app.view, few = tasks.size <= 60, ids = few ? [...tasks.keys()] : queue.slice(0, IN_LINE);
    if (this.rec !== app.rec) $("queue-list").style.setProperty("--wide", `${Object.assign(this, { rec: app.rec, wide: 98 }).wide}px`);
    const wish = Math.min(few ? 230 : 140, 40 + 7 * Math.max(0, ...ids.map((id) => app.rec.names.get(id)?.name?.length ?? 0)));
    const fits = !few || Math.ceil(tasks.size / Math.max(1, Math.floor((this.w + 4) / (wish + 4)))) * 28 <= this.h;
    if (fits && wish > this.wide) $("queue-list").style.setProperty("--wide", `${(this.wide = wish)}px`);
  },

  paint() {
    const { queue, running } = app.view, hidden = app.asking();
    this.fit();
    say($("queue-note"), hidden ? "hidden while you guess" : queue.length ? `${group(queue.length)} ready` : "");
    $("queue-list").classList.toggle("guess", hidden);
    if (hidden) return this.hide(running);
    const shown = running === null ? queue.slice(0, IN_LINE) : [running, ...queue.slice(0, IN_LINE)];
    while (this.rows.length < shown.length) this.rows.push(el("li", {}, el("span", { class: "place" }), chip(null)));
    shown.forEach((id, i) => this.paintRow(this.rows[i], id, running === null ? i + 1 : i));
    const words = queue.length > IN_LINE ? `and ${group(queue.length - IN_LINE)} more` : queue.length ? "" : running === null ? "Empty: no task is ready, so the loop may park." : "No other task is ready.";
    const rows = this.rows.slice(0, shown.length);
    refill($("queue-list"), `${shown.length}|${words}`, () => (words ? [...rows, el("li", { class: "rest" }, words)] : rows));
  },

  paintRow(row, id, place) {
    const [number, task] = row.children, chosen = id === app.selected;
    if (row.place !== place) {
      row.place = place;
      row.className = place === 0 ? "now" : place === 1 ? "next" : "";
      task.className = place === 0 ? "task running" : "task";
      say(number, place === 0 ? "▶" : String(place));
      number.setAttribute("aria-label", place === 0 ? "has the thread" : `place ${place}`);
    }
    if (row.chosen !== chosen) task.setAttribute("aria-pressed", (row.chosen = chosen));
    if (row.of === id && row.rec === app.rec) return;
    Object.assign(row, { of: id, rec: app.rec });
    relabel(task, id);
  },

  hide(running) {
    refill($("queue-list"), `hidden ${running}`, () => {
      const guesses = [1, 2, 3].map((n) => el("li", { "aria-hidden": true }, el("span", { class: "place" }, "?"), el("span", { class: "task" }, "who knows".repeat((n % 2) + 1))));
      return running === null ? guesses : [el("li", { class: "now" }, el("span", { class: "place" }, "▶"), chip(running, "running")), ...guesses];
    });
  },
};

function paintQueue() {
  line.paint();
}
