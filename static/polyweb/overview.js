/* Overview: the strip and the rows follow the socket, the PnL line grows. */

import { pnlChart } from "./charts.js";
import { share } from "./figures.js";
import { showMarkets } from "./rows.js";
import { connect } from "./shell.js";

const history = JSON.parse(document.getElementById("chart-data").textContent);
const series = [history.t, history.pnl];
const plot = pnlChart(document.getElementById("pnl-chart"), false);
const bar = document.getElementById("risk-bar");
const EVERY_S = 2;
const MOST = 4000;

plot.show(series);
connect({
  markets: showMarkets,
  engine: (data, message) => {
    if (data.risk) bar.setAttribute("width", `${share(data.risk.worst_total, data.risk.cap_total)}%`);
    const now = message.now_ms / 1000;
    const fresh = message.age_ms < 2000 && data.pnl && data.pnl.total != null;
    if (!fresh || now - (series[0].at(-1) ?? 0) < EVERY_S) return;
    series[0].push(now);
    series[1].push(Number(data.pnl.total));
    if (series[0].length > MOST) series.forEach((column) => column.shift());
    plot.show(series);
  },
});
