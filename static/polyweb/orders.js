/* Orders as they happen: a known row changes in place, a new one goes on top. Only the first, unfiltered page grows. */

import { figure } from "./figures.js";
import { clockNode, connect, flash, write } from "./shell.js";

const panel = document.getElementById("orders");
const table = document.querySelector("#rows tbody");
const none = document.getElementById("no-orders");
const grows = panel.dataset.live === "yes";
const MOST = 100;
const rows = new Map([...table.rows].map((row) => [row.dataset.order, row]));

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function link(className, href, text) {
  const node = element("a", className, text);
  node.href = href;
  return node;
}

function make(data) {
  const row = element("tr");
  row.dataset.href = data.url;
  row.dataset.order = data.client_order_id;
  const cells = ["nowrap", "name", "nowrap", "num", "num", "", "reason muted wide-only", "wide-only"].map((name) => element("td", name));
  cells[0].append(clockNode(data.created_at));
  cells[1].append(link("", data.market_url, data.question));
  write(cells[2], `${data.side} ${data.outcome}`);
  write(cells[3], figure(data.price, "cents", data.decimals));
  cells[5].append(element("span", "tag"));
  cells[7].append(link("mono why", data.url, `${data.order_id.slice(0, 8)}…${data.order_id.slice(-4)}`));
  row.append(...cells);
  return row;
}

function update(row, data) {
  const cells = row.cells;
  write(cells[4], `${figure(data.filled, "shares")} / ${figure(data.size, "shares")}`);
  const tag = cells[5].firstElementChild;
  tag.dataset.word = data.state;
  if (write(tag, data.state)) flash(cells[5]);
  write(cells[6], data.detail || "");
}

function show(list) {
  for (const data of list) {
    const key = String(data.client_order_id);
    let row = rows.get(key);
    if (!row) {
      if (!grows) continue;
      row = make(data);
      rows.set(key, row);
      table.prepend(row);
      none.hidden = true;
    }
    update(row, data);
  }
  while (table.rows.length > MOST) {
    rows.delete(table.lastElementChild.dataset.order);
    table.lastElementChild.remove();
  }
}

connect({ orders: show });
