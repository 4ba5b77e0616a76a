/* One market: ladder, charts, position, own orders and the trace follow the socket; the parameters are edited here. */

import { axes, chart, padded, pnlChart, span } from "./charts.js";
import { age, figure } from "./figures.js";
import { setPreview, showLadder } from "./ladder.js";
import { connect, paint, write } from "./shell.js";

const byId = (id) => document.getElementById(id);
const head = byId("market");
const decimals = Number(head.dataset.decimals);
const history = JSON.parse(byId("chart-data").textContent);
const SPAN_S = 1800;

// The price chart: one column of times; null is a gap (no quote, no book), what a moment does not name goes on --

const columns = { t: [], bookBid: [], bookAsk: [], fair: [], bid: [], ask: [], fill: [] };
const names = Object.keys(columns);

function append(t, values) {
  const last = columns.t.at(-1);
  if (last !== undefined && t <= last) t = last + 0.001;
  columns.t.push(t);
  for (const name of names) {
    if (name === "t") continue;
    const before = name === "fill" ? null : columns[name].at(-1) ?? null;
    columns[name].push(name in values ? values[name] : before);
  }
  while (columns.t.length && columns.t[0] < t - SPAN_S) for (const name of names) columns[name].shift();
}

function load() {
  const points = history.quotes.t.map((t, i) => [t, { bid: history.quotes.bid[i], ask: history.quotes.ask[i] }]);
  history.book.t.forEach((t, i) => {
    const [bookBid, bookAsk] = [history.book.bid[i], history.book.ask[i]];
    // Fair is the middle of a trusted book; only the newest one is told, the others are here.
    points.push([t, { bookBid, bookAsk, fair: bookBid === null || bookAsk === null ? null : (bookBid + bookAsk) / 2 }]);
  });
  for (const [t, price] of history.fills) points.push([t, { fill: price }]);
  points.sort((a, b) => a[0] - b[0]);
  for (const [t, values] of points) append(t, values);
}

const cents = (value) => figure(value, "cents", Math.max(decimals, 1));
const prices = chart(byId("price-chart"), (colour) => {
  const stepped = globalThis.uPlot.paths.stepped({ align: 1 });
  const line = (label, stroke, width, extra = {}) => ({ label, stroke, width, points: { show: false }, ...extra });
  return {
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 20, 0, 0],
    scales: { x: { range: span }, y: { range: (_, low, high) => padded(low, high, 0.002) } },
    axes: axes(colour, cents),
    bands: [{ series: [2, 1], fill: `${colour.muted}22` }],
    series: [
      {},
      line("book bid", `${colour.muted}66`, 1, { paths: stepped }),
      line("book ask", `${colour.muted}66`, 1, { paths: stepped }),
      line("fair", colour.accent, 1.5, { paths: stepped }),
      line("our bid", colour.bid, 1.5, { paths: stepped }),
      line("our ask", colour.ask, 1.5, { paths: stepped }),
      { label: "fill", stroke: colour.surface, paths: () => null, points: { show: true, size: 8, width: 1, fill: colour.ink, stroke: colour.surface } },
    ],
  };
});

function drawPrices() {
  prices.show(names.map((name) => columns[name]));
}

// PnL and inventory -----------------------------------------------------------------------------------------

const profit = [history.pnl.t, history.pnl.pnl, history.pnl.net];
const profitPlot = pnlChart(byId("pnl-chart"), true);

// Our orders ------------------------------------------------------------------------------------------------

const ours = byId("ours").tBodies[0];
const noOurs = byId("no-ours");
let oursAt = performance.now();
let ourAges = [];

function orderRow() {
  const row = document.createElement("tr");
  for (const name of ["", "nowrap", "num", "num", "num", "", "num"]) {
    const cell = row.insertCell();
    if (name) cell.className = name;
  }
  const link = document.createElement("a");
  link.className = "mono why";
  row.cells[0].append(link);
  const tag = document.createElement("span");
  tag.className = "tag";
  row.cells[5].append(tag);
  return row;
}

function showOurs(list) {
  while (ours.rows.length > list.length) ours.lastElementChild.remove();
  while (ours.rows.length < list.length) ours.append(orderRow());
  noOurs.hidden = list.length > 0;
  const sorted = [...list].sort((a, b) => Number(b.yes_price) - Number(a.yes_price));
  sorted.forEach((order, index) => {
    const cells = ours.rows[index].cells;
    const link = cells[0].firstElementChild;
    const id = order.order_id || "";
    write(link, id ? `${id.slice(0, 8)}…${id.slice(-4)}` : "–");
    if (id) link.href = `/orders/${encodeURIComponent(id)}/`;
    write(cells[1], `${order.side} ${order.outcome}`);
    write(cells[2], figure(order.price, "cents", decimals));
    write(cells[3], figure(order.yes_price, "cents", decimals));
    cells[3].className = `num ${order.yes_side}`;
    write(cells[4], `${figure(order.remaining, "shares")} / ${figure(order.size, "shares")}`);
    const tag = cells[5].firstElementChild;
    tag.dataset.word = order.state;
    write(tag, order.state);
  });
  ourAges = sorted.map((order) => Number(order.age_ms || 0));
  oursAt = performance.now();
  showAges();
}

function showAges() {
  if (document.body.dataset.fresh !== "yes" || document.body.dataset.link === "down") return;
  const more = performance.now() - oursAt;
  ourAges.forEach((ms, index) => write(ours.rows[index].cells[6], age((ms + more) / 1000)));
}

// Why -------------------------------------------------------------------------------------------------------

const trace = byId("trace");
const noTrace = byId("no-trace");

/** Names say their unit: "(x2)" is twice a price in 1/10 000, "size" is shares in 1/1 000 000. */
function readable({ name, before, after }) {
  const shares = name.includes("size");
  const scale = shares ? 1e6 : name.includes("(x2)") ? 2e4 : 1e4;
  const say = (value) => figure(value / scale, shares ? "shares" : "cents1");
  return [name.replace("(x2)", "").replace("(size)", "").trim(), say(before), say(after)];
}

function showTrace(steps, reason) {
  while (trace.children.length > steps.length) trace.lastElementChild.remove();
  while (trace.children.length < steps.length) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.className = "step";
    item.append(name, " ", document.createElement("b"));
    trace.append(item);
  }
  steps.forEach((step, index) => {
    const item = trace.children[index];
    const [name, before, after] = readable(step);
    write(item.firstElementChild, name);
    write(item.lastElementChild, after);
    item.title = `${before} → ${after}`;
  });
  noTrace.hidden = steps.length > 0;
  if (!steps.length) write(noTrace, `No decision to explain: ${reason || "nothing is quoted"}.`);
}

// One view --------------------------------------------------------------------------------------------------

let shownAt = 0;
let newestMs = 0;
let newest = null;

function best(view, side) {
  const found = (view.ours || []).filter((order) => order.yes_side === side).map((order) => Number(order.yes_price));
  if (!found.length) return null;
  return side === "bid" ? Math.max(...found) : Math.min(...found);
}

function show(view) {
  if (view.at_ms && view.at_ms < newestMs) return; // a row read late must not undo a newer message
  newestMs = view.at_ms || newestMs;
  newest = view;
  showLadder(view);
  paint(head, view, decimals);
  paint(byId("ladder"), view, decimals);
  paint(byId("position"), view, decimals);
  showOurs(view.ours || []);
  showTrace(view.trace || [], view.reason);
  paint(byId("why"), view, decimals);
  const now = (view.at_ms || Date.now()) / 1000;
  if (now - shownAt < 0.25) return;
  shownAt = now;
  const top = (side) => (view.book?.[side]?.[0] ? Number(view.book[side][0][0]) : null);
  append(now, {
    bookBid: top("bids"), bookAsk: top("asks"), fair: view.fair == null ? null : Number(view.fair),
    bid: best(view, "bid"), ask: best(view, "ask"),
  });
  drawPrices();
  const pnl = view.position?.pnl;
  if (pnl != null && now - (profit[0].at(-1) ?? 0) >= 2) {
    profit[0].push(now);
    profit[1].push(Number(pnl));
    profit[2].push(Number(view.position.net || 0));
    profitPlot.show(profit);
  }
}

// Parameters ------------------------------------------------------------------------------------------------

const form = byId("params-form");
const panel = byId("edit");
const editButton = byId("edit-button");
const output = byId("params-output");
let waitingFor = null;

function toggleEdit(open) {
  panel.hidden = !open;
  byId("grid").toggleAttribute("data-edit", open);
  if (open) byId("grid").dataset.edit = "open";
  editButton.setAttribute("aria-expanded", String(open));
  if (open) form.querySelector("input[type=number]").focus();
  else {
    endPreview();
    editButton.focus();
  }
}

function showErrors(errors) {
  for (const line of form.querySelectorAll(".param")) {
    const text = errors[line.dataset.name];
    const node = line.querySelector(".error");
    line.toggleAttribute("data-wrong", Boolean(text));
    if (text) line.closest("details").open = true;
    node.hidden = !text;
    write(node, text || "");
  }
  const rest = Object.entries(errors).filter(([name]) => !form.querySelector(`.param[data-name="${CSS.escape(name)}"]`));
  const list = byId("params-errors");
  list.replaceChildren(...rest.map(([, text]) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

function showParameters(lines) {
  for (const line of lines) {
    const node = form.querySelector(`.param[data-name="${CSS.escape(line.name)}"]`);
    if (!node) continue;
    write(node.querySelector("[data-effective]"), line.value);
    write(node.querySelector("[data-source]"), line.source);
    node.toggleAttribute("data-own", Boolean(line.own));
    const input = node.querySelector("input");
    input.value = line.own;
    input.placeholder = line.value;
  }
}

// The preview: asked for as somebody types, drawn into the ladder, gone with the form -----------------------

let previewTimer = null;
let previewRound = 0;

function endPreview() {
  clearTimeout(previewTimer);
  previewRound += 1;
  setPreview({});
  if (newest) showLadder(newest);
}

async function askPreview() {
  previewRound += 1;
  const round = previewRound;
  let said;
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, redirect: "error" });
    said = await answer.json();
  } catch {
    return; // the page says itself that the connection is lost
  }
  if (round !== previewRound) return;
  showErrors(said.errors || {});
  setPreview(said.after);
  if (newest) showLadder(newest);
  write(output, said.text || "No preview: see what is wrong above.");
}

async function apply(event) {
  event.preventDefault();
  endPreview();
  write(output, "Applying …");
  const sent = performance.now();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, redirect: "error" });
    const said = await answer.json();
    if (!answer.ok) {
      showErrors(said.errors || {});
      write(output, "Nothing was changed.");
      return;
    }
    showErrors({});
    showParameters(said.parameters);
    form.elements.revision.value = said.revision;
    form.elements.reason.value = "";
    write(byId("revision-number"), String(said.revision));
    waitingFor = { change: said.change, revision: said.revision, sent };
    write(output, `Revision ${said.revision} is written; waiting for the engine.`);
  } catch (error) {
    write(output, `Not applied: ${error.message}. Nothing was changed, or reload to see.`);
  }
}

function engineSaw(data) {
  if (!waitingFor || !(data.change_seen >= waitingFor.change)) return;
  const seconds = ((performance.now() - waitingFor.sent) / 1000).toFixed(1);
  write(output, `Revision ${waitingFor.revision} is in force in the engine after ${seconds} s.`);
  waitingFor = null;
}

if (form) {
  editButton.addEventListener("click", (event) => {
    event.preventDefault();
    toggleEdit(panel.hidden);
  });
  byId("edit-close").addEventListener("click", () => toggleEdit(false));
  form.addEventListener("submit", apply);
  form.addEventListener("input", (event) => {
    if (event.target.type !== "number") return;
    clearTimeout(previewTimer);
    previewTimer = setTimeout(askPreview, 200);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggleEdit(false);
  });
}

load();
show(JSON.parse(byId("view-data").textContent));
drawPrices();
profitPlot.show(profit);
setInterval(showAges, 500);
connect({ market: show, engine: engineSaw });
