// Chips and links: a task as something to press, the same in every panel.

/** A task as something to press. */
function chip(id, extra = "") {
  const node = el("button", { class: `task ${extra}`, "aria-pressed": id !== null && id === app.selected }, el("span", { class: "id" }, ""), el("span", { class: "name" }, ""));
  if (id !== null) relabel(node, id);
  return node;
}

/** A name that is cut, if it must be, before its end: names often differ there. */
function label(node, name) {
  const end = name.length > 8 ? /\S{0,3}$/u.exec(name)[0] : "";
  // The script that it begins with decides on which side it begins.
  node.dir = "auto";
  node.replaceChildren(el("span", {}, name.slice(0, name.length - end.length).slice(0, 300)), el("span", {}, end));
}

/** Makes a chip that of another task. */
function relabel(node, id) {
  const name = app.rec.names.get(id)?.name ?? "", [number, words] = node.querySelectorAll(":scope > span");
  node.dataset.task = id;
  node.title = name || `task ${id}`;
  number.classList.toggle("alone", !name);
  say(number, String(id));
  label(words, name);
}

function taskLink(id) {
  return app.rec.names.has(id) ? el("button", { class: "link", "data-task": id }, title(id)) : title(id);
}

/** A cause, with a link if it is a task. */
function causeLink(by) {
  const { kind, id } = parts(by);
  return kind === "task" ? taskLink(id) : cause(by);
}
