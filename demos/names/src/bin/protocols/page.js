"use strict";
// Words and events are fetched again. The commands stay as they are, so that they can be marked and copied.
async function refresh() {
  const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  for (const id of ["state", "words", "events"]) {
    document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
  }
}
setInterval(() => refresh().catch(() => { document.getElementById("state").textContent = "the server is gone"; }), 2000);
