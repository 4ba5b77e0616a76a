/* A page of tables: when what it was made from has changed, its live panels are fetched again and exchanged. */

import { connect, showTimes } from "./shell.js";

const LEAST_MS = 2000;
let shown = null;
let asked = null;
let waiting = 0;

/** Whether somebody is writing in it: their words are not taken away. */
function inUse(panel) {
  const fields = [...panel.querySelectorAll("input:not([type=hidden])")];
  return fields.some((field) => field === document.activeElement || field.value !== field.defaultValue);
}

async function renew() {
  waiting = 0;
  const mark = asked;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return; // the next change tries again
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  let whole = true;
  for (const panel of document.querySelectorAll("[data-live]")) {
    const newer = page.getElementById(panel.id);
    if (!newer || newer.innerHTML === panel.dataset.made) continue;
    if (inUse(panel)) {
      whole = false;
      continue;
    }
    panel.dataset.made = newer.innerHTML;
    panel.replaceChildren(...document.importNode(newer, true).childNodes);
    showTimes(panel);
  }
  shown = whole ? mark : null;
  if (asked !== shown) later();
}

function later() {
  if (!waiting) waiting = setTimeout(renew, LEAST_MS);
}

connect({
  page: (data) => {
    const first = asked === null;
    asked = data.mark;
    if (first) renew();
    else if (asked !== shown) later();
  },
});
