// Predict: the page asks who is polled next, and explains the answer.

function togglePredict() {
  if (app.predict) return endPredict();
  if ($("predict").disabled) return;
  app.predict = { asking: false, waiting: true };
  document.body.classList.add("predicting");
  $("predict").setAttribute("aria-pressed", true);
  $("ask").hidden = false;
  $("bar").classList.add("asking");
  if (!app.live) return nextQuestion();
  app.tail = true;
  app.show(app.rec.last);
  if (app.held) return askWhenHeld();
  awaitQuestion();
  command("pause");
}

function endPredict() {
  app.predict = null;
  document.body.classList.remove("predicting");
  $("bar").classList.remove("asking");
  $("predict").setAttribute("aria-pressed", false);
  $("ask").hidden = true;
  app.touch();
}

/** The loop sleeps, or runs: the question comes when it stands before a poll. */
function awaitQuestion() {
  app.predict = { asking: false, waiting: true };
  $("choices").replaceChildren();
  $("verdict").className = "";
  $("next-question").hidden = true;
  say($("verdict"), end.isOver() ? "No task will be ready any more: the program has done its work. Play it from the beginning, and guess then." : "No task is ready yet. The question comes as soon as one is.");
}

/** A loop that is held before a poll knows whose it is. Held before a turn, it goes on to a poll first. */
function askWhenHeld() {
  if (app.held.next !== undefined) return ask(app.held.next);
  awaitQuestion();
  command("step/poll");
}

/** Asks who is next: it is `answer`. */
function ask(answer) {
  const { view } = app, { queue } = view;
  document.body.classList.add("predicting");
  $("next-question").hidden = true;
  $("verdict").className = "";
  app.predict = { asking: true, queue: queue.slice(), state: view.clone() };
  $("choices").replaceChildren(...choices(answer).map((id, i) => {
    const choice = chip(id);
    choice.prepend(el("kbd", {}, String(i + 1)));
    return choice;
  }));
  say($("verdict"), "Press its key, or the task itself: here, in a slot or on its lane.");
  showScore();
  $("ask").focus();
  app.touch();
}

/** Four tasks: the right one, some who are ready and, to make it a question, one who is not; by number, so that the order tells nothing. */
function choices(answer) {
  const { view } = app, mixed = (id) => (id * 7919 + view.n * 104729) % 1009;
  const pick = (list, count) => list.sort((a, b) => mixed(a) - mixed(b)).slice(0, count);
  const ready = view.queue.filter((id) => id !== answer);
  const idle = [...view.tasks.values()].filter(({ id, state }) => state === "waiting" && id !== answer).map(({ id }) => id);
  const others = pick(ready, idle.length ? 2 : 3);
  return [answer, ...others, ...pick(idle, 3 - others.length)].sort((a, b) => a - b);
}

/** There is nothing more to ask. */
function endQuestions() {
  Object.assign(app.predict, { asking: false });
  document.body.classList.remove("predicting");
  $("choices").replaceChildren();
  $("next-question").hidden = true;
  $("verdict").className = "";
  say($("verdict"), "The recording ends here: no task is polled any more.");
  app.touch();
}

function showScore() {
  const { right, all, row } = app.score;
  say($("score"), all ? `${right} of ${all} right${row > 1 ? `, ${row} in a row` : ""}` : "");
}

async function guess(id) {
  app.predict = { ...app.predict, asking: false, guessed: id };
  if (app.live) {
    app.predict.from = app.rec.last;
    await command("step/poll");
  } else {
    const next = ahead(app.cursor, ({ e }) => e === "poll_start");
    app.jump(next ?? app.rec.last);
    if (next !== null) reveal(app.rec.event(next));
  }
}

/** The poll that was asked for has come. */
function reveal({ task: actual }) {
  const { guessed, queue, state } = app.predict, right = guessed === actual;
  app.predict.from = null;
  const { score } = app;
  app.score = { right: score.right + (right ? 1 : 0), all: score.all + 1, row: right ? score.row + 1 : 0 };
  document.body.classList.remove("predicting");
  $("verdict").className = right ? "right" : "wrong";
  say($("verdict"), `${right ? "Right" : `No, it is ${title(actual)}`}. ${whyNext(actual, state)} ${right ? "" : whyNot(guessed, queue, state)}`);
  $("choices").replaceChildren(chip(actual, "running"));
  $("next-question").hidden = false;
  $("next-question").focus();
  showScore();
  app.select(actual);
}

function whyNext(id, state) {
  const task = state.tasks.get(id), place = state.queue.indexOf(id);
  if (!task) return "It was spawned only just now.";
  if (place < 0) return "No task was ready; this one was woken first.";
  if (place > 0) return `It is one of ${several(state.queue.length, "task")} that are ready. This loop has a seed, so any of them may be next.`;
  const others = state.queue.length - 1;
  const since = task.woken && task.woken.t >= (task.born ?? 0) ? `${cause(task.woken.by)} woke it` : "it was spawned";
  return `It stood first in the ready queue: ${since}${others ? `, before the ${others === 1 ? "other" : `${group(others)} others`}` : ", and no other task was ready"}.`;
}

function whyNot(id, queue, state) {
  const task = state.tasks.get(id), place = queue.indexOf(id);
  if (!task) return `${capital(title(id))} is over.`;
  if (place > 0) return `${capital(title(id))} is ready too, with ${several(place, "task")} before it: first woken, first polled.`;
  const waits = [...task.waits.keys()];
  if (!waits.length) return `${capital(title(id))} waits, and nothing has woken it.`;
  const { kind, id: what } = parts(waits[0]), timer = kind === "timer" && state.timers.get(what);
  return `${capital(title(id))} still waits ${waiting(waits[0])}${timer ? `, due in ${span(Math.max(0, timer.deadline - state.t))}` : ""}; nothing has woken it.`;
}

function nextQuestion() {
  if (!app.predict || app.asking()) return;
  if (app.live) return app.held ? askWhenHeld() : awaitQuestion();
  const next = ahead(app.cursor, ({ e }) => e === "poll_start");
  app.jump(next === null ? app.rec.last : next - 1);
  if (next === null) endQuestions();
  else ask(app.rec.event(next).task);
}
