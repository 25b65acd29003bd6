// Chips and links: a task as something to press, the same in every panel.

/** A task as something to press. */
function chip(id, extra = "") {
  const name = app.rec.names.get(id)?.name;
  return el("button", { class: `task ${extra}`, "data-task": id, "aria-pressed": id === app.selected, title: name }, el("span", { class: "id" }, String(id)), el("span", { class: "name" }, name ?? "—"));
}

function taskLink(id) {
  return app.rec.names.has(id) ? el("button", { class: "link", "data-task": id }, title(id)) : title(id);
}

/** A cause, with a link if it is a task. */
function causeLink(by) {
  const { kind, id } = parts(by);
  return kind === "task" ? taskLink(id) : cause(by);
}
