// The ready queue: who has the thread, and behind it those who stand in line, in order.

/** So many are shown by name. */
const IN_LINE = 120;

const line = {
  rows: [],

  paint() {
    const { queue, running } = app.view, hidden = app.asking();
    say($("queue-note"), hidden ? "hidden while you guess" : queue.length ? `${group(queue.length)} in line` : "");
    $("queue-list").classList.toggle("guess", hidden);
    if (hidden) return this.hide(running);
    const shown = running === null ? queue.slice(0, IN_LINE) : [running, ...queue.slice(0, IN_LINE)];
    while (this.rows.length < shown.length) this.rows.push(el("li", {}, el("span", { class: "place" }), chip(null)));
    shown.forEach((id, i) => this.paintRow(this.rows[i], id, running === null ? i + 1 : i));
    const words = queue.length > IN_LINE ? `and ${group(queue.length - IN_LINE)} more` : queue.length ? "" : running === null ? "Empty: no task can run, so the loop may sleep." : "No other task is ready.";
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
