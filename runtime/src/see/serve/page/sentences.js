// Sentences: each event, each cause and each wait in words.

function title(id) {
  const name = app.rec.names.get(id)?.name;
  return name ? `task ${id} “${isolated(shortened(name))}”` : `task ${id}`;
}

function cause(by) {
  const { kind, id } = parts(by);
  if (kind === "task") return title(id);
  if (kind === "source") return sourceTitle(id);
  if (kind === "outside") return "code outside the loop";
  return by;
}

function sourceTitle(id) {
  const words = sourceWords(id);
  return words ? `source ${id} (${words})` : `source ${id}`;
}

/** A source's kind and address, if it is known. */
function sourceWords(id) {
  const source = app.view.sources.get(id);
  return source && `${source.kind}${source.address ? " " + isolated(source.address) : ""}`;
}

/** Why a recording was written, and so ends. */
const WRITTEN = { asked: "when the program asked for it", end: "when its runtime ended", exit: "when its process exited" };

/** What is said at the end of a recording; nothing, if it was written before recordings said why. */
function ending({ cut, header: { written = "" } }) {
  if (cut) return "The recording is cut short here.";
  const signal = /^signal (\d+)$/.exec(written)?.[1];
  const when = signal ? `when signal ${signal} came to end its process` : Object.hasOwn(WRITTEN, written) && WRITTEN[written];
  return when ? `The recording ends here: it was written ${when}.` : "";
}

/** What a task waits for, as the end of "it waits …": the monitor's word for it, and what that is. */
function waiting(on) {
  const { kind, id } = parts(on), what = { join: `the end of ${title(id)}`, other: "nothing of the loop’s", read: sourceWords(id), write: sourceWords(id) }[kind];
  return `for ${on}${what ? ` (${what})` : ""}`;
}

function unseen({ n, n1 }) {
  return `${capital(several(n1 - n, "event"))} not seen: the program was quicker than this page.`;
}

/** One event as a sentence. `state` is what came of it. */
function tell(event, state) {
  const sentence = Object.hasOwn(STORY, event.e) && STORY[event.e];
  return sentence ? capital(sentence(event, state)) : `An event this page does not know: ${event.e}.`;
}

const STORY = {
  turn_start: ({ turn, inbox }) => `turn ${group(turn)} begins${inbox ? `; ${several(inbox, "message")} from other threads ${inbox === 1 ? "waits" : "wait"}` : ""}.`,
  turn_end: ({ turn, polls }) => `turn ${group(turn)} is over, after ${several(polls, "poll")}.`,
  spawn: ({ task, by }) => `${cause(by)} spawns ${title(task)}, which joins the end of the ready queue.`,
  poll_start: ({ task }) => `${title(task)} is polled: it has the thread now.`,
  poll_end: ({ task, outcome }, state) => {
    const waits = [...(state.tasks.get(task)?.waits.keys() || [])];
    if (outcome === "ready") return `${title(task)} is done: its poll returned ready.`;
    if (outcome === "panicked") return `${title(task)} panicked.`;
    return `${title(task)} gives the thread back: pending${waits.length ? `. It waits ${waits.map(waiting).join(", or ")}` : ""}.`;
  },
  wait: ({ task, on }) => `${title(task)} leaves its waker and will wait ${waiting(on)}.`,
  wait_dropped: ({ task, on }) => `${title(task)} no longer waits ${waiting(on)}.`,
  wake: ({ task, by, queued }) => `${cause(by)} wakes ${title(task)}${queued ? ", which joins the ready queue" : ": it was queued already, so nothing changes"}.`,
  stale_wake: ({ by }) => `${cause(by)} uses a stale waker: its task is over. That is harmless.`,
  abort: ({ task, by }) => `${cause(by)} asks for ${title(task)} to end.`,
  finish: ({ task, outcome }) => `${title(task)} is over: it ${outcome === "aborted" ? "was aborted" : outcome}. Its slot is free.`,
  timer_set: ({ timer, by, deadline, t }) => `${cause(by)} sets timer ${timer}, due in ${span(Math.max(0, deadline - t))}.`,
  timer_fired: ({ timer, late, t }) => {
    const free = app.rec.fold(t) - app.rec.fold(t - late), held = late - free >= 1000;
    return `timer ${timer} fires${late >= 1000 ? `, ${span(late)} after its deadline${held ? ", because the loop was held" : ""}` : ""}.`;
  },
  timer_cancelled: ({ timer }) => `timer ${timer} is dropped before it fired.`,
  source_opened: ({ source, by }) => `${cause(by)} registers ${sourceTitle(source)} with the reactor.`,
  source_ready: ({ source, ...latch }) => `the kernel reports ${sourceTitle(source)} ${latchWords(latch) || "ready"}.`,
  source_drained: ({ source, read }) => `${sourceTitle(source)} would block a ${read ? "read" : "write"} now: its latch is cleared.`,
  source_closed: ({ source }) => `source ${source} is closed.`,
  park_start: ({ timeout }) => timeout === 0 ? "the loop asks the kernel for news and does not park, because a task is ready." : `no task is ready, so the loop parks${timeout === null ? " until something happens" : `, for at most ${span(timeout)}`}.`,
  park_end: ({ events }) => `the park is over${events ? `: the kernel reports ${several(events, "source")} ready` : ""}.`,
  held: ({ lasted }) => `the loop goes on. A viewer held it for ${span(lasted)}.`,
  finding: ({ text }) => quoted(text),
};

function latchWords(latch) {
  const words = { read: "readable", write: "writable", read_closed: "closed for reading", write_closed: "closed for writing" };
  return Object.keys(words).filter((key) => latch[key]).map((key) => words[key]).join(" and ");
}

/** A sentence of the program, whose names in quotation marks cannot reorder it. */
function quoted(text) {
  return plain(text).replace(/"((?:[^"\\]|\\.)*)"/g, '"\u2068$1\u2069"');
}

/** What a task is doing, in a few words. */
function condition(task) {
  if (task.state === "running") return "running: it has the thread";
  if (task.state === "ready") return app.asking() ? "ready: waits to be polled" : `ready: ${ordinal(app.view.queue.indexOf(task.id) + 1)} in the queue`;
  if (task.waits.size === 0) return "waiting for something that the runtime cannot see, such as a channel";
  return "waiting";
}

function dueIn(deadline) {
  const left = deadline - app.now();
  return left <= 0 ? "now" : `in ${span(left)}`;
}
