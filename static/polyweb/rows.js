/* Market lists: rows of the first response are updated in place, never made again. */

import { share } from "./figures.js";
import { paint, write } from "./shell.js";

const rows = new Map([...document.querySelectorAll("#rows tbody tr[data-id]")].map((row) => [row.dataset.id, row]));

function offset(best, own, tick) {
  if (best == null || own == null || !Number(tick)) return "";
  return String(Math.round(Math.abs(best - own) / Number(tick)));
}

export function showMarkets(list) {
  for (const data of list) {
    const row = rows.get(data.condition_id);
    if (!row) continue;
    paint(row, data, Number(row.dataset.decimals));
    const bar = row.querySelector("rect.fill");
    if (bar && data.net != null) bar.setAttribute("width", `${share(data.net, row.dataset.cap)}%`);
    for (const side of ["bid", "ask"]) {
      const node = row.querySelector(`[data-off="${side}"]`);
      if (node) write(node, offset(data[side], data[`our_${side}`], row.dataset.tick));
    }
  }
}
