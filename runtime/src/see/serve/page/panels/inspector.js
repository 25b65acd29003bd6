// The inspector: one task in detail.

const inspector = {
  paint() {
    const id = app.selected, task = app.view.tasks.get(id), known = app.rec.names.get(id);
    const now = app.paused() ? 0 : Math.floor(app.now() / (SECOND / 4));
    const key = `${id}|${app.view.n}|${now}|${app.asking()}`;
    $("inspector").classList.toggle("nothing", id === null);
    if (id === null) return refill($("inspected"), "none", () => [el("p", { class: "empty" }, "Select a task in the queue, in a slot, or on its lane. This panel then shows who spawned it, what it waits for, and why it ran last.")]);
    say($("inspector-note"), task ? `slot ${task.slot}` : "");
    refill($("inspected"), key, () => [
      el("h3", {}, known?.name ?? `task ${id}`),
      el("p", { class: "state" }, `task ${id}, ${task ? condition(task) : this.gone(id)}`),
      el("dl", { id: "facts" }, ...this.rows(id, task, known).flatMap(([name, ...value]) => [el("dt", {}, name), el("dd", {}, ...value)])),
    ]);
  },

  gone(id) {
    const life = app.rec.history.lives.get(id);
    if (life && life.n > app.view.n) return "not yet spawned";
    return life?.outcome ? `over: it ${life.outcome === "aborted" ? "was aborted" : life.outcome}` : "over";
  },

  rows(id, task, known) {
    const line = (at) => el("span", { class: "mono", title: plain(at) }, brief(at)), rows = [];
    if (task) for (const [on, wait] of task.waits) {
      const at = app.view.waitsAt(on, wait.at), place = at ? [el("br"), "at ", line(at)] : [];
      rows.push(["waits", `${waiting(on)}; ${span(Math.max(0, app.now() - wait.since))} so far`, this.due(on), ...place]);
    }
    if (known) rows.push(["spawned", "by ", causeLink(known.by), el("br"), "at ", line(known.at)]);
    if (!task) return rows;
    rows.push(["polls", task.polls ? `${group(task.polls)}; the longest took ${span(task.longest)}` : "none yet"]);
    if (task.state === "running") rows.push(["this poll", `has lasted ${span(app.now() - app.view.since)}`]);
    if (task.woken) rows.push(["last woken", `${span(Math.max(0, app.now() - task.woken.t))} ago`, el("br"), "by ", causeLink(task.woken.by)]);
    if (task.chain.length) rows.push(["because", el("ol", { id: "chain" }, ...this.chain(id, task.chain))]);
    return rows;
  },

  due(on) {
    const { kind, id } = parts(on), timer = kind === "timer" && app.view.timers.get(id);
    return timer ? `, due ${dueIn(timer.deadline)}` : "";
  },

  /** From the last wake back to what began it. */
  chain(id, links) {
    let whom = title(id);
    return links.map((link) => {
      const { kind, id: who } = parts(link.by), words = [causeLink(link.by), ` woke ${whom}`];
      if (link.set) words.push(`; it was set by ${cause(link.set)} at `, el("span", { class: "mono", title: plain(link.at) }, brief(link.at)));
      whom = kind === "task" ? title(who) : whom;
      return el("li", {}, ...words);
    });
  },
};
