// The sources: sockets and pipes, and what the kernel last said of them.

function lamp(letter, name, on, closed) {
  const words = `${name} latch ${on ? "set" : "clear"}${closed ? ", closed" : ""}`;
  return el("span", { class: `lamp ${on ? "on" : ""} ${closed ? "closed" : ""}`, role: "img", "aria-label": words, title: words }, letter);
}

/** The rows by source: of many, few change at a time, and only those are made anew. */
const sourceRows = new Map();

function sourceRow(source) {
  const waits = ["read", "write"].flatMap((way) => (app.view.waiters.get(`${way} ${source.id}`) ?? []).slice(0, 4).map((id) => [way, id]));
  const key = JSON.stringify([source, waits]), known = sourceRows.get(source.id);
  if (known?.key === key && known.rec === app.rec) return known.row;
  const row = el("li", { class: "row" },
    el("span", { class: "mono dim" }, String(source.id)),
    el("span", { class: "what", title: `registered by ${cause(source.by)} at ${plain(source.at)}` }, `${source.kind} `, source.kind === "signals" ? el("span", { class: "dim" }, "such as Ctrl-C") : el("bdi", { class: "mono" }, plain(source.address || ""))),
    el("span", {}, lamp("R", "read", source.read, source.read_closed), " ", lamp("W", "write", source.write, source.write_closed)),
    waits.length > 0 && el("span", { class: "wait" }, ...waits.flatMap(([way, id], i) => [i ? ", " : "", taskLink(id), ` waits for ${way} ${source.id}`])));
  known?.row.replaceWith(row);
  sourceRows.set(source.id, { key, row, rec: app.rec });
  return row;
}

function paintSources() {
  const { sources } = app.view, shown = [...sources.values()].slice(-80);
  $("sources").classList.toggle("nothing", sources.size === 0);
  say($("sources-note"), sources.size ? `${group(sources.size)}; lit: ready to Read, to Write` : "");
  const rows = shown.map(sourceRow);
  refill($("source-list"), `${shown.map(({ id }) => id)}|${sources.size}`, () => {
    const ids = new Set(shown.map(({ id }) => id));
    for (const id of sourceRows.keys()) if (!ids.has(id)) sourceRows.delete(id);
    if (!shown.length) return [el("li", { class: "empty" }, "No source is registered with the reactor: no socket, and no pipe.")];
    if (sources.size > shown.length) rows.push(el("li", { class: "empty" }, `and ${group(sources.size - shown.length)} older ones`));
    return rows;
  });
}
