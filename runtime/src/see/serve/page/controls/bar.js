// The bar at the bottom: where one is, and the sentence that says what happened.

const PLAY = "M4 2.5v11l9-5.5z", PAUSE = "M3.5 2.5h3v11h-3zm6 0h3v11h-3z";

function paintBar() {
  const { rec, cursor, live, tail } = app, paused = app.paused(), past = live && !tail;
  const icon = $("play"), words = !paused ? "Pause" : live && tail && !app.held ? "Replay" : live && tail ? "Go on" : "Play";
  if (icon.dataset.words !== words) {
    icon.dataset.words = words;
    const picture = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
    picture.append(svg("path", { d: paused ? PLAY : PAUSE }));
    icon.replaceChildren(picture);
    icon.setAttribute("aria-label", words);
    icon.title = `${words} (space)`;
  }
  const scrub = $("scrub");
  const { n: from } = rec.start, to = rec.seat(rec.last), here = rec.seat(cursor);
  // An end that moves with the present changes nothing that one sees.
  const key = here === to && live && to > from ? "present" : `${from} ${to} ${here}`;
  if (scrub.dataset.key !== key || !live) {
    scrub.dataset.key = key;
    scrub.min = from;
    scrub.max = to;
    if (document.activeElement !== scrub || !scrub.matches(":active")) scrub.value = here;
    scrub.style.setProperty("--part", `${(100 * (here - from)) / Math.max(1, to - from)}%`);
    scrub.setAttribute("aria-valuetext", `event ${cursor} of ${rec.last}`);
  }
  say($("where"), innerWidth < 700 ? `${group(cursor)} / ${group(rec.last)}` : `event ${group(cursor)} of ${group(rec.last)} · ${moment(app.now(), 6)}`);
  say($("story"), caption());
  $("to-live").hidden = !past;
  const linked = !live || app.link === "live", ends = !live && cursor >= rec.last;
  $("back").disabled = cursor <= rec.start.n || app.asking();
  $("ahead").disabled = cursor >= rec.last || app.asking();
  for (const id of ["step-poll", "step-turn", "to-wake", "predict"]) $(id).disabled = !linked || (ends && !app.predict);
  for (const id of ["step-poll", "step-turn", "to-wake"]) $(id).disabled ||= app.asking();
  $("to-wake").disabled ||= app.selected === null;
  $("play").disabled = !linked && !past && !end.isOver();
  scrub.disabled = app.asking();
  paintPill();
}

function caption() {
  const { rec, view, cursor } = app;
  if (app.asking()) return "Look at what happened so far, and guess. The next poll is hidden.";
  if (app.live && app.tail && app.held && !app.predict) {
    const { at, task, next } = app.held;
    return `Held before ${next ? `the poll of ${title(next)}` : "the next turn"}${at === "wake" ? `, because ${title(task)} was woken` : ""}. Step, or go on.`;
  }
  if (app.live && app.tail && app.pausing) return "The loop stops before its next poll. No task is ready yet, so it waits for one.";
  if (app.live && app.tail && !app.held && !app.predict && app.link === "live" && end.isOver()) return `The program has done its work. ${view.tasks.size ? "It waits for nothing but a signal, such as Ctrl-C." : "No task is left."}`;
  const event = rec.event(cursor), gap = rec.history.gaps.find(({ n1 }) => n1 === cursor);
  if (event && !app.live && cursor === rec.last) return `${tell(event, view)} ${ending(rec)}`.trim();
  return event ? tell(event, view) : gap ? unseen(gap) : rec.last > rec.start.n ? "Before the first event." : rec.last > 0 ? "Nothing has happened since this page looked first." : "Nothing has happened yet.";
}

function paintPill() {
  const { live, link, held } = app, empty = document.body.classList.contains("bare");
  const [kind, words] = !live ? (empty ? ["", "Nothing open"] : ["replay", "Replay"]) : link === "lost" ? (end.isOver() ? ["", "Ended"] : ["lost", "Disconnected"]) : link !== "live" ? ["", "Connecting"] : held ? ["held", "Paused"] : app.pausing ? ["held", "Pausing"] : ["live", "Live"];
  $("pill").className = `pill ${kind}`;
  say($("pill"), words);
  say($("source"), app.source);
}

/** Says the caption to those who listen instead of looking. */
function speak() {
  say($("spoken"), caption());
}
