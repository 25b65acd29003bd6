// Chips and links: a task as something to press, the same in every panel.

/** A task as something to press. */
function chip(id, extra = "") {
  const node = el("button", { class: `task ${extra}`, "aria-pressed": id !== null && id === app.selected }, el("span", { class: "id" }, ""), el("span", { class: "name" }, ""));
  if (id !== null) relabel(node, id);
  return node;
}

/** Makes a chip that of another task. */
function relabel(node, id) {
  const name = app.rec.names.get(id)?.name ?? "", [number, label] = node.querySelectorAll("span");
  node.dataset.task = id;
  node.title = name || `task ${id}`;
  number.classList.toggle("alone", !name);
  say(number, String(id));
  say(label, name);
}

function taskLink(id) {
  return app.rec.names.has(id) ? el("button", { class: "link", "data-task": id }, title(id)) : title(id);
}

/** A cause, with a link if it is a task. */
function causeLink(by) {
  const { kind, id } = parts(by);
  return kind === "task" ? taskLink(id) : cause(by);
}
