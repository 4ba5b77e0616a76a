/* Market list: live rows, choosing many at once. */

import { showMarkets } from "./rows.js";
import { connect, write } from "./shell.js";

const boxes = [...document.querySelectorAll('input[name="markets"]')];
const all = document.getElementById("all");
const chosen = document.getElementById("chosen");

function count() {
  const ticked = boxes.filter((box) => box.checked).length;
  if (chosen) write(chosen, ticked ? `with ${ticked} chosen` : "with the chosen rows");
  if (all) {
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }
}

all?.addEventListener("change", () => {
  for (const box of boxes) box.checked = all.checked;
  count();
});
document.getElementById("switch-form")?.addEventListener("change", count);
connect({ markets: showMarkets });
