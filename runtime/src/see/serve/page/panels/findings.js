// The findings, and the banner of what goes wrong just now.

const KINDS = { slow_poll: "Slow poll", self_wake_storm: "Self-wake storm", nobody_can_wake: "Nobody can wake it", everyone_waits: "Tasks wait for each other", timer_pile_up: "Timers pile up" };

function paintFindings() {
  const until = app.cursor, all = app.rec.findings.filter((finding) => finding.n <= until), count = all.length;
  const shown = all.slice(-50).reverse();
  $("count").hidden = count === 0;
  say($("count"), group(count));
  $("findings").classList.toggle("nothing", count === 0);
  const stuck = !$("banner").hidden;
  refill($("finding-list"), `${shown[0]?.n}|${shown.length}|${stuck}`, () => {
    if (!shown.length) return [el("li", { class: "empty", style: "padding-left:0" }, stuck ? "Nothing is reported yet. The banner shows what goes on now." : `Nothing ${app.live && app.rec.start.n > 0 ? "since this page looked first" : "so far"}: no slow poll, no self-wake storm, no forgotten task.`)];
    return shown.map((finding) => {
      const sign = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
      sign.append(svg("path", { d: "M8 1 15.5 14.5H.5zM7.2 6v4.4h1.6V6zm0 5.4V13h1.6v-1.6z", "fill-rule": "evenodd" }));
      const kind = KINDS[finding.kind] || capital(String(finding.kind).replaceAll("_", " "));
      return el("li", {}, sign, el("span", { class: "kind" }, kind), el("span", { class: "dim" }, `  at ${moment(finding.t)}`), el("br"), capital(findingText(finding)), finding.task && el("br"), finding.task && el("button", { class: "link", "data-task": finding.task }, `Show task ${finding.task}`));
    });
  });
}

function findingText({ text, took, task }) {
  return text ? quoted(text) : `${title(task)} was in one poll for ${span(took)}. No other task could run meanwhile.`;
}

function paintBanner() {
  const { view } = app, busy = view.running !== null ? app.now() - view.since : 0;
  const culprit = app.live && app.tail && !app.held && app.link === "live" && app.server?.culprit;
  const alarm = (busy >= SLOW || culprit) && !app.asking();
  $("banner").hidden = !alarm && !app.trouble;
  $("banner-look").hidden = !alarm || busy < SLOW;
  $("banner-close").hidden = alarm || !app.trouble;
  if (!alarm) return app.trouble && say($("alarm"), app.trouble);
  if (busy < SLOW) return say($("alarm"), `${capital(quoted(culprit))}.`);
  const at = app.rec.names.get(view.running)?.at, awaited = view.tasks.get(view.running)?.awaited ?? (culprit && app.isStuck() && app.server.awaited);
  const places = [awaited && `last waited at ${plain(awaited)}`, at && `was spawned at ${plain(at)}`].filter(Boolean).join(", and ");
  say($("alarm"), `${capital(title(view.running))} has been in one poll for ${span(Math.floor(busy / 1e8) * 1e8)}. No other task can run meanwhile.${places ? ` It ${places}.` : ""}`);
  $("banner-look").dataset.task = view.running;
}
