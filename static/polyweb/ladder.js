/* The ladder: the rows of the first response are kept and rewritten, so nothing moves but the figures. */

import { figure } from "./figures.js";
import { flash, write } from "./shell.js";

const table = document.getElementById("ladder");
const decimals = Number(document.getElementById("market").dataset.decimals);
let preview = {};
const rows = {
  // Best price first: the asks stand upside down.
  ask: [...table.querySelectorAll('tbody[data-side="ask"] tr')].reverse(),
  bid: [...table.querySelectorAll('tbody[data-side="bid"] tr')],
};

/** Book levels and our own prices of one side, merged, best first. Keys are integers: 1/10 000 pUSD. */
function levels(book, ours, side) {
  const merged = new Map();
  const at = (price) => {
    const key = Math.round(Number(price) * 10000);
    if (!merged.has(key)) merged.set(key, { key, size: null, ours: 0, preview: 0 });
    return merged.get(key);
  };
  for (const [price, size] of book) at(price).size = Number(size);
  for (const order of ours) if (order.yes_side === side) at(order.yes_price).ours += Number(order.remaining);
  if (preview[side]) at(preview[side].price).preview = Number(preview[side].size);
  const better = (a, b) => (side === "bid" ? b.key - a.key : a.key - b.key);
  const sorted = [...merged.values()].sort(better);
  // Ours are always shown: a far order of ours takes the room of far levels.
  const own = sorted.filter((level) => level.ours || level.preview).slice(0, rows[side].length);
  const others = sorted.filter((level) => !level.ours && !level.preview).slice(0, rows[side].length - own.length);
  return [...own, ...others].sort(better);
}

function showRow(row, level, largest) {
  const cells = row.cells;
  row.classList.toggle("blank", !level);
  row.toggleAttribute("data-ours", Boolean(level && level.ours));
  write(cells[1], level ? figure(level.key / 10000, "cents", decimals) : "");
  const size = cells[2].querySelector("span");
  if (write(size, level && level.size !== null ? figure(level.size, "shares") : "") && level) flash(size);
  const width = level && level.size ? (level.size * 100) / largest : 0;
  cells[2].querySelector("rect").setAttribute("width", `${width.toFixed(1)}%`);
  row.toggleAttribute("data-preview", Boolean(level && level.preview));
  if (level && level.ours) write(cells[3], `◂ ${figure(level.ours, "shares")}`);
  else write(cells[3], level && level.preview ? `◃ ${figure(level.preview, "shares")}` : "");
}

/** Where quotes would stand, by side, until told otherwise. */
export function setPreview(quotes) {
  preview = quotes || {};
}

export function showLadder(view) {
  const book = view.book || {};
  for (const side of ["ask", "bid"]) {
    const list = levels(book[`${side}s`] || [], view.ours || [], side);
    const largest = Math.max(...list.map((level) => level.size || 0), 1);
    rows[side].forEach((row, index) => showRow(row, list[index], largest));
  }
}
