/* Lines with uPlot. Colours come from the stylesheet's tokens and follow the theme. */

import { onTheme } from "./shell.js";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const FONT = "11px system-ui, sans-serif";

export const colours = () => ({
  ink: token("--ink"), muted: token("--muted"), line: token("--line"), accent: token("--accent"),
  bid: token("--bid"), ask: token("--ask"), good: token("--good"), surface: token("--surface"),
});

export function axes(colour, format, extra = []) {
  const common = { stroke: colour.muted, font: FONT, grid: { stroke: colour.line, width: 1 }, ticks: { show: false } };
  return [
    { ...common, space: 72, size: 26, values: [
      [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
      [3600, "{HH}:{mm}", null, null, null, null, null, null, 1],
      [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
      [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
    ] },
    { ...common, size: 52, space: 28, values: (_, ticks) => ticks.map(format) },
    ...extra.map((values) => ({ ...common, side: 1, scale: "right", size: 48, space: 28, grid: { show: false }, values })),
  ];
}

/** A chart that fills its element, is drawn again when the theme changes, and says so when it has nothing. */
export function chart(element, build) {
  let plot = null;
  let data = null;
  const none = element.querySelector(".none");
  const size = () => ({ width: Math.max(120, element.clientWidth), height: Math.max(80, element.clientHeight) });
  const draw = () => {
    plot?.destroy();
    plot = null;
    if (data) plot = new globalThis.uPlot({ ...build(colours()), ...size() }, data, element);
  };
  const show = (next) => {
    const filled = next && next[0].length > 0;
    if (none) none.hidden = Boolean(filled);
    if (!filled) return;
    data = next;
    if (plot) plot.setData(data);
    else draw();
  };
  new ResizeObserver(() => plot?.setSize(size())).observe(element);
  onTheme(draw);
  return { show };
}

const signed = (value) => (value === 0 ? "0" : `${value > 0 ? "+" : "−"}${Math.abs(value).toLocaleString("en", { maximumFractionDigits: 2 })}`);

/** Profit as a line over a soft fill; with `net`, shares on the right. */
export function pnlChart(element, withNet) {
  return chart(element, (colour) => ({
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    padding: [8, withNet ? 0 : 20, 0, 0],
    scales: { x: { range: span }, y: { range: (_, low, high) => padded(low, high, 0.02) }, right: { range: (_, low, high) => padded(Math.min(low, 0), Math.max(high, 0), 1) } },
    axes: axes(colour, signed, withNet ? [(_, ticks) => ticks.map(signed)] : []),
    series: [
      {},
      { label: "PnL", stroke: colour.accent, width: 1.5, fill: `${colour.accent}1a`, fillTo: 0, points: { show: false } },
      ...(withNet ? [{ label: "net", scale: "right", stroke: colour.muted, width: 1, dash: [4, 3], points: { show: false } }] : []),
    ],
  }));
}

/** At least half a minute, so that the first point does not stand in the middle of years. */
export function span(_, low, high) {
  if (low === null || high === null) return [Date.now() / 1000 - 30, Date.now() / 1000];
  return high - low < 30 ? [high - 30, high] : [low, high];
}

export function padded(low, high, least) {
  if (low === null || high === null || !Number.isFinite(low)) return [0, 1];
  const room = Math.max((high - low) * 0.12, least);
  return [low - room, high + room];
}
