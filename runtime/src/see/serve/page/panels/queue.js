// The ready queue, in order.

function paintQueue() {
  const { queue, running } = app.view, shown = queue.slice(0, 60), hidden = app.asking();
  say($("queue-note"), hidden ? "hidden while you guess" : queue.length ? `${group(queue.length)} in line` : "");
  refill($("queue-list"), `${running}|${shown.join()}|${queue.length}|${app.selected}|${hidden}`, () => {
    const items = [];
    if (running !== null) items.push(el("li", { class: "now" }, el("span", { class: "place", "aria-label": "now" }, "▶"), chip(running, "running")));
    if (hidden) return [...items, ...[1, 2, 3].map((n) => el("li", { "aria-hidden": true }, el("span", { class: "place" }, "?"), el("span", { class: "task" }, "who knows".repeat(n % 2 + 1))))];
    items.push(...shown.map((id, i) => el("li", { class: i ? "" : "next" }, el("span", { class: "place" }, String(i + 1)), chip(id))));
    if (queue.length > shown.length) items.push(el("li", { class: "gap" }, `and ${group(queue.length - shown.length)} more`));
    if (queue.length === 0) items.push(el("li", { class: "empty" }, running === null ? "Empty: nobody can run, so the loop may sleep." : "Nobody else is ready."));
    return items;
  });
}
