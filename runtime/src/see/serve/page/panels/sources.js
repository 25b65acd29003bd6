// The sources: sockets and pipes, and what the kernel last said of them.

function lamp(letter, name, on, closed) {
  const words = `${name} latch ${on ? "set" : "clear"}${closed ? ", closed" : ""}`;
  return el("span", { class: `lamp ${on ? "on" : ""} ${closed ? "closed" : ""}`, role: "img", "aria-label": words, title: words }, letter);
}

function paintSources() {
  const { sources, waiters } = app.view, shown = [...sources.values()].slice(-80);
  $("sources").classList.toggle("nothing", sources.size === 0);
  // A long list starts with what somebody waits for, or what is ready.
  const key = JSON.stringify([shown, shown.map(({ id }) => [...(waiters.get(`read ${id}`) || []), "w", ...(waiters.get(`write ${id}`) || [])]), app.selected, sources.size]);
  say($("sources-note"), sources.size ? `${group(sources.size)}; lit: ready to Read, to Write` : "");
  refill($("source-list"), key, () => {
    if (!shown.length) return [el("li", { class: "empty" }, "No source is registered with the reactor: no socket, and no pipe.")];
    const rows = shown.map((source) => {
      const waits = ["read", "write"].flatMap((way) => [...(waiters.get(`${way} ${source.id}`) || [])].slice(0, 4).map((id) => [way, id]));
      return el("li", { class: "row" },
        el("span", { class: "mono dim" }, String(source.id)),
        el("span", { class: "what", title: `registered by ${cause(source.by)} at ${plain(source.at)}` }, `${source.kind} `, source.kind === "signals" ? el("span", { class: "dim" }, "such as Ctrl-C") : el("bdi", { class: "mono" }, plain(source.address || ""))),
        el("span", {}, lamp("R", "read", source.read, source.read_closed), " ", lamp("W", "write", source.write, source.write_closed)),
        waits.length > 0 && el("span", { class: "wait" }, ...waits.flatMap(([way, id], i) => [i ? ", " : "", taskLink(id), ` waits for ${way} ${source.id}`])));
    });
    if (sources.size > shown.length) rows.push(el("li", { class: "empty" }, `and ${group(sources.size - shown.length)} older ones`));
    return rows;
  });
}
