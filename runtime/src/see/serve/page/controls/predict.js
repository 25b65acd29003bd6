// Predict: the page asks who is polled next, and explains the answer.

function togglePredict() {
  if (app.predict) return endPredict();
  if ($("predict").disabled) return;
  app.predict = { asking: false, waiting: true };
  document.body.classList.add("predicting");
  $("predict").setAttribute("aria-pressed", true);
  $("ask").hidden = false;
  $("bar").classList.add("asking");
  if (app.live) {
    app.tail = true;
    app.show(app.rec.last);
    if (app.held) ask();
    else {
      awaitQuestion();
      command("pause");
    }
  } else {
    app.jump(beforePoll(app.cursor));
    ask();
  }
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
  say($("verdict"), "Nobody is ready yet. The question comes as soon as somebody is.");
}

/** Asks who is next. The loop stands before a poll. */
function ask() {
  const { view } = app, ready = view.queue.slice().sort((a, b) => a - b);
  document.body.classList.add("predicting");
  $("next-question").hidden = true;
  $("verdict").className = "";
  if (!app.live && app.cursor >= app.rec.last) {
    app.predict.asking = false;
    document.body.classList.remove("predicting");
    $("choices").replaceChildren();
    say($("verdict"), "The recording ends here: nobody is polled any more.");
    return app.touch();
  }
  app.predict = { asking: true, queue: view.queue.slice(), state: view.clone() };
  // Some who are ready and, to make it a question, some who are not; by number, so that the order tells nothing.
  const head = view.queue[0], others = ready.filter((id) => id !== head);
  const idle = [...view.tasks.values()].filter((task) => task.state === "waiting" && task.waits.size).map(({ id }) => id);
  const pick = (list, count) => list.map((id) => [(id * 7919 + view.n * 104729) % 1009, id]).sort((a, b) => a[0] - b[0]).slice(0, count).map(([, id]) => id);
  const choices = [...new Set([...(head === undefined ? [] : [head]), ...pick(others, 3), ...pick(idle, others.length ? 1 : 3)])];
  $("choices").replaceChildren(...choices.sort((a, b) => a - b).map((id) => chip(id)));
  say($("verdict"), "Press a task here, in a slot or on its lane.");
  showScore();
  app.touch();
}

function showScore() {
  const [right, all] = app.score;
  say($("score"), all ? `${right} of ${all} right` : "");
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
  app.score = [app.score[0] + (right ? 1 : 0), app.score[1] + 1];
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
  if (place < 0) return "Nobody was ready; it was the first to be woken.";
  if (place > 0) return `It is one of ${several(state.queue.length, "task")} that are ready. This loop has a seed, so any of them may be next.`;
  const others = state.queue.length - 1;
  const since = task.woken && task.woken.t >= (task.born ?? 0) ? `${cause(task.woken.by)} woke it` : "it was spawned";
  return `It stood first in the ready queue: ${since}${others ? `, before the ${several(others, "other")} in line` : ", and nobody else was ready"}.`;
}

function whyNot(id, queue, state) {
  const task = state.tasks.get(id), place = queue.indexOf(id);
  if (!task) return `${capital(title(id))} is over.`;
  if (place > 0) return `${capital(title(id))} is ready too, with ${several(place, "task")} before it: first woken, first polled.`;
  const waits = [...task.waits.keys()];
  if (!waits.length) return `${capital(title(id))} waits, and nobody has woken it.`;
  const { kind, id: what } = parts(waits[0]), timer = kind === "timer" && state.timers.get(what);
  return `${capital(title(id))} still waits ${waiting(waits[0])}${timer ? `, due in ${span(Math.max(0, timer.deadline - state.t))}` : ""}; nobody has woken it.`;
}

function nextQuestion() {
  if (!app.predict || app.asking()) return;
  if (app.live) return app.held ? ask() : awaitQuestion();
  app.jump(beforePoll(app.cursor));
  ask();
}
