// Hands on it: keys, buttons, files that are dropped; and how the page starts.

const KEYS = [
  [["Space"], "play and pause; live: hold the program, and let it go on", toggle],
  [["←", "→"], "one event back or ahead", null],
  [["s"], "step one poll", () => step("step-poll")],
  [["t"], "step one turn", () => step("step-turn")],
  [["w"], "to the next wake of the selected task", () => step("to-wake")],
  [["p"], "predict: guess which task is polled next", togglePredict],
  [["1", "4"], "predict: guess the first, the fourth", null],
  [["n"], "the next question", nextQuestion],
  [["Home", "End"], "to the first event, to the last", null],
  [["+", "−"], "zoom the timeline (or turn the mouse's wheel on it; drag to move)", null],
  [["f"], "follow the present", () => timeline.setFollow(!timeline.follow)],
  [["o"], "order or time on the timeline's axis", () => timeline.setMode(timeline.mode === "order" ? "time" : "order")],
  [["/"], "find a task", () => $("find").focus()],
  [["Esc"], "ask nothing, end the tour, close the card, select nothing", () => (app.predict ? endPredict() : tour.at !== null ? tour.end() : !$("end").hidden ? end.hide() : ((app.selected = null), app.touch()))],
  [["?"], "what this page shows", () => about(true)],
];

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("about").open) return;
  const { target } = event, typing = target.matches?.("input:not([type=range]), select, textarea");
  if (typing) {
    if (event.key === "Escape") target.blur();
    return;
  }
  const onButton = target.matches?.("button") && (event.key === " " || event.key === "Enter"), onCanvas = target === $("canvas");
  if (onButton || (target === $("scrub") && event.key.startsWith("Arrow"))) return;
  const choice = app.asking() && $("choices").children[Number(event.key) - 1];
  if (choice) return app.choose(Number(choice.dataset.task));
  const moves = {
    ArrowLeft: () => (onCanvas ? timeline.pan(60) : !$("back").disabled && app.jump(app.cursor - 1)),
    ArrowRight: () => (onCanvas ? timeline.pan(-60) : !$("ahead").disabled && app.jump(app.rec.next(app.cursor))),
    ArrowUp: onCanvas && (() => { timeline.top -= LANE; timeline.setFollow(false); }),
    ArrowDown: onCanvas && (() => { timeline.top += LANE; timeline.setFollow(false); }),
    Home: () => !app.asking() && app.jump(app.rec.start.n), End: () => !app.asking() && app.jump(app.rec.last),
    "+": () => timeline.zoom(1.5), "=": () => timeline.zoom(1.5), "-": () => timeline.zoom(1 / 1.5), Escape: KEYS.at(-2)[2],
  };
  const act = moves[event.key] || KEYS.find(([names]) => names[0].toLowerCase() === (event.key === " " ? "space" : event.key.toLowerCase()))?.[2];
  if (!act || (document.body.classList.contains("bare") && event.key !== "?")) return;
  event.preventDefault();
  act();
  if (["ArrowLeft", "ArrowRight"].includes(event.key) && !onCanvas) speak();
}

function about(show) {
  const dialog = $("about");
  // At full speed most loops do all they do between two frames.
  $("about-slow").hidden = !app.live;
  $("about-close").classList.toggle("main", !app.live);
  if (show && !dialog.open) dialog.showModal();
  if (!show) dialog.close();
  remember("oneloop-seen", "yes");
}

/** Storage is a comfort: where it is forbidden the page works without. */
function remember(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function setTheme(theme) {
  document.documentElement.classList.toggle("light", theme === "light");
  readColours();
  timeline.widths.clear();
  app.touch();
}

function find() {
  const text = $("find").value.trim().toLowerCase();
  if (!text || app.asking()) return;
  const hit = [...app.view.tasks.values()].find(({ id, name }) => String(id) === text || (name ?? "").toLowerCase() === text)
    ?? [...app.view.tasks.values()].find(({ name }) => (name ?? "").toLowerCase().includes(text));
  if (hit) app.select(hit.id);
}

function wire() {
  const on = (id, call, type = "click") => $(id).addEventListener(type, call);
  for (const id of Object.keys(STEPS)) on(id, () => step(id));
  on("play", toggle);
  on("back", () => (app.jump(app.cursor - 1), speak()));
  on("ahead", () => (app.jump(app.rec.next(app.cursor)), speak()));
  on("scrub", () => app.jump(Number($("scrub").value)), "input");
  on("to-live", () => Object.assign(app, { playing: false, tail: true }) && app.show(app.rec.last));
  on("speed", () => (app.live ? command("slow", { ms: $("speed").value }) : (app.head = app.view.t)), "change");
  on("predict", togglePredict);
  on("next-question", nextQuestion);
  on("zoom-in", () => timeline.zoom(1.5));
  on("zoom-out", () => timeline.zoom(1 / 1.5));
  on("fit", () => timeline.fit(false));
  on("follow", () => timeline.setFollow(!timeline.follow));
  on("by-order", () => timeline.setMode("order"));
  on("by-time", () => timeline.setMode("time"));
  on("find", find, "input");
  on("save", save);
  on("banner-close", () => ((app.trouble = null), paintBanner()));
  on("help", () => about(true));
  on("about-close", () => about(false));
  on("about", () => $("end").hidden || $("end-replay").focus(), "close");
  on("about-slow", () => (about(false), end.isOver() ? end.replay("5") : command("slow", { ms: SLOWLY })));
  for (const id of ["open", "hero-open"]) on(id, () => $("file").click());
  on("file", () => (openFile($("file").files[0]), ($("file").value = "")), "change");
  on("hero-tour", () => tour.begin());
  on("tour-next", () => tour.next());
  on("tour-back", () => tour.back());
  on("tour-end", () => tour.end());
  on("end-replay", () => end.replay());
  on("end-save", save);
  on("end-again", () => end.again());
  on("end-close", () => end.hide());
  on("theme", () => setTheme(remember("oneloop-theme", document.documentElement.classList.contains("light") ? "dark" : "light")
    ?? (document.documentElement.classList.contains("light") ? "dark" : "light")));
  on("dial", ({ target }) => wheel.point(target), "pointerover");
  on("dial", ({ target }) => wheel.press(target));
  on("mosaic", (event) => { const id = slab.taskAt(event.offsetX, event.offsetY); if (id !== undefined) app.choose(id); });
  document.addEventListener("click", (event) => {
    const node = event.target.closest?.("[data-task]"), id = Number(node?.dataset.task);
    if (!node) return;
    // To press a task again lets it go; a link leads to it each time, also to where it is not yet in sight.
    if (!node.matches(".link, #banner-look") || app.asking()) return app.choose(id);
    app.select(id);
    if (FIXED.matches) return;
    // First it gets what it shows, and with that its place.
    paint(performance.now(), false);
    $("inspector").scrollIntoView();
  });
  document.addEventListener("keydown", key);
  window.addEventListener("resize", () => app.touch());
  const dragged = (event, over) => {
    if (app.live || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", over);
  };
  window.addEventListener("dragover", (event) => dragged(event, true));
  window.addEventListener("dragleave", (event) => event.relatedTarget === null && dragged(event, false));
  window.addEventListener("drop", (event) => (dragged(event, false), openFile(event.dataTransfer?.files[0])));
}

function start() {
  const query = new URLSearchParams(location.search), http = location.protocol.startsWith("http");
  setTheme(query.get("theme") ?? remember("oneloop-theme") ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
  // Who has not chosen a theme here gets the system's, also when that changes.
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", ({ matches }) => !remember("oneloop-theme") && !query.has("theme") && setTheme(matches ? "light" : "dark"));
  clock.build();
  tour.cards();
  $("about-tour").href = address("", { tour: "" });
  slab.build();
  line.build();
  wire();
  $("keys").tBodies[0].append(...KEYS.map(([names, words]) => el("tr", {}, el("td", {}, ...names.flatMap((name, i) => [i ? " " : "", el("kbd", {}, name)])), el("td", {}, words))));
  say($("hero-how"), "# record any program that runs on oneloop, and drop the file here\nONELOOP_RECORD=run.ndjson cargo run --release --bin sleepers\n# or watch it while it runs\nONELOOP_SEE=1 cargo run --release --bin echo");
  fillSpeeds();
  paintPill();
  if (query.has("tour")) tour.begin(query.get("tour"));
  else if (query.has("recording")) openAddress(query.get("recording"));
  else if (http) connect();
  $("open").hidden = app.live;
  $("save").hidden = !app.live;
  if (!remember("oneloop-seen") && app.live) about(true);
  app.touch();
}

start();
