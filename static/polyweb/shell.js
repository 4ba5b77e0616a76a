/* What every page shares: the socket and its honesty about age, painting figures into nodes that are already there,
   times, keys, theme and the stop dialogue. */

import { age, clock, figure, precise, sign } from "./figures.js";

const body = document.body;
const SILENT_AFTER_S = 5;
const STALL_AFTER_S = 8;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const byId = (id) => document.getElementById(id);

// Painting ------------------------------------------------------------------------------------------------

function lookup(data, path) {
  let value = data;
  for (const key of path.split(".")) {
    if (value === null || value === undefined || !(key in Object(value))) return undefined;
    value = value[key];
  }
  return value;
}

export function flash(node) {
  if (calm.matches || !node.animate) return;
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--flash");
  node.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], { duration: 300 });
}

/** Write a text only where it changed. Returns whether it did. */
export function write(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

/** Fill every [data-f] under root from data; what data does not name stays as it is. */
export function paint(root, data, decimals = 1) {
  for (const node of root.querySelectorAll("[data-f]")) {
    const value = lookup(data, node.dataset.f);
    if (value === undefined) continue;
    const format = node.dataset.fmt;
    const changed = write(node, figure(value, format, decimals));
    if (format === "word") node.dataset.word = value || "";
    if (format === "money") {
      node.classList.remove("up", "down");
      const colour = sign(value);
      if (colour) node.classList.add(colour);
    }
    if (format === "text") node.title = value || "";
    else if (typeof value === "string" && format !== "word") node.title = value;
    if (changed && format !== "millis" && format !== "micros" && format !== "text") flash(node);
  }
}

// The engine's sign of life ---------------------------------------------------------------------------------

const engine = {
  word: body.dataset.word,
  beatAt: body.dataset.age === undefined ? null : performance.now() - Number(body.dataset.age) * 1000,
};

function showEngine() {
  const word = byId("engine-word");
  const notice = byId("engine-notice");
  if (!word) return;
  if (engine.beatAt === null) return;
  const seconds = (performance.now() - engine.beatAt) / 1000;
  const silent = seconds > SILENT_AFTER_S && engine.word !== "stopped";
  const stopped = engine.word === "stopped";
  body.dataset.fresh = silent || stopped ? "no" : "yes";
  const running = engine.word === "running" || engine.word === "silent";
  write(word, silent ? "engine silent" : running ? `engine ${age(seconds)}` : `engine ${engine.word}`);
  if (silent && notice.hidden) {
    const since = new Date(Date.now() - seconds * 1000);
    write(notice, `The engine is silent since ${clock(since)}: figures in grey are the last it said.`);
  }
  notice.hidden = !silent;
}

function heardEngine(message) {
  const data = message.data;
  if (message.age_ms === null || message.age_ms === undefined) return;
  engine.beatAt = performance.now() - message.age_ms;
  engine.word = data.state || engine.word;
  paintSummary(data);
  showStop(data.stop);
  showVenue(data.venue);
  showEngine();
}

/** Why the venue does not let us trade as we would; while the engine stops it says nothing. */
function showVenue(venue) {
  const notice = byId("venue-notice");
  if (!notice || venue === undefined) return;
  notice.hidden = !(venue && venue.reason);
  if (venue && venue.reason) write(notice, `Venue: ${venue.reason}`);
}

/** A stop given elsewhere since this page was opened; those of the first response have a notice of their own. */
function showStop(stop) {
  const notice = byId("stop-notice");
  if (!notice || stop === undefined) return;
  const known = document.querySelector("[data-stop]");
  notice.hidden = !stop || Boolean(known);
  if (stop) write(notice.firstElementChild, `Stopped: ${stop.level}, ${stop.scope === "all" ? "everything" : stop.scope} · ${stop.reason}`);
}

function paintSummary(data) {
  for (const root of document.querySelectorAll("[data-summary]")) paint(root, data);
}

// The socket ------------------------------------------------------------------------------------------------

/** Keep a socket to the page's address; handlers by message kind. `engine` may be handled too. */
export function connect(handlers = {}) {
  const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${body.dataset.socket}`;
  let attempt = 0;
  let socket = null;
  let heardAt = performance.now();
  let downSince = null;
  let over = false;

  const down = (text) => {
    body.dataset.link = "down";
    downSince = downSince || new Date();
    const notice = byId("link-notice");
    write(notice, text || `No connection since ${clock(downSince)}: figures in grey are from then. Trying again …`);
    notice.hidden = false;
  };
  const up = () => {
    attempt = 0;
    downSince = null;
    body.dataset.link = "up";
    byId("link-notice").hidden = true;
  };
  const again = () => {
    const wait = Math.min(8000, 400 * 2 ** attempt) * (0.7 + Math.random() * 0.6);
    attempt += 1;
    setTimeout(open, wait);
  };

  function open() {
    socket = new WebSocket(address);
    heardAt = performance.now();
    socket.addEventListener("message", (event) => {
      heardAt = performance.now();
      const message = JSON.parse(event.data);
      if (body.dataset.link !== "up") up();
      if (message.kind === "engine") heardEngine(message);
      handlers[message.kind]?.(message.data, message);
    });
    socket.addEventListener("close", (event) => {
      if (over) return;
      if (event.code === 4401) {
        over = true;
        location.assign(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
      } else if (event.code === 4403) {
        over = true;
        down("Your account may not watch this page live; reload to see newer figures.");
      } else {
        down();
        again();
      }
    });
  }

  addEventListener("pagehide", () => {
    over = true;
    socket?.close();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    over = false;
    open();
  });
  setInterval(() => {
    if (over) return;
    if (performance.now() - heardAt > STALL_AFTER_S * 1000 && socket?.readyState === WebSocket.OPEN) socket.close();
    showEngine();
  }, 250);
  open();
}

// Times -----------------------------------------------------------------------------------------------------

export function showTimes(root = document) {
  const now = Date.now();
  for (const node of root.querySelectorAll("time[data-time]")) {
    const moment = new Date(node.dateTime);
    const seconds = (now - moment.getTime()) / 1000;
    if (node.dataset.time === "clock") write(node, clock(moment));
    else if (node.dataset.time === "precise") write(node, precise(moment));
    else if (node.dataset.time === "since") write(node, age(seconds));
    else write(node, seconds < 0 ? `in ${age(-seconds)}` : `${age(seconds)} ago`);
  }
}

export function clockNode(iso) {
  const node = document.createElement("time");
  const moment = new Date(iso);
  node.dateTime = iso;
  node.dataset.time = "clock";
  node.title = `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  node.textContent = clock(moment);
  return node;
}

// Theme -----------------------------------------------------------------------------------------------------

const themeListeners = [];
export const onTheme = (listener) => themeListeners.push(listener);

function wireTheme() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themeListeners.forEach((call) => call()));
  byId("theme-form")?.addEventListener("submit", (event) => {
    const theme = event.submitter?.value;
    if (!theme) return;
    event.preventDefault();
    document.documentElement.dataset.theme = theme;
    for (const button of event.target.querySelectorAll("[name=theme]")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
    const form = new FormData(event.target);
    form.set("theme", theme);
    fetch(event.target.action, { method: "POST", body: form, redirect: "manual" });
    themeListeners.forEach((call) => call());
  });
  document.addEventListener("click", (event) => {
    const menu = document.querySelector(".who[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });
}

// Stop ------------------------------------------------------------------------------------------------------

function wireStop() {
  const dialog = byId("stop-dialog");
  const form = byId("stop-form");
  const button = byId("stop-button");
  if (!dialog || !form || !dialog.showModal) return;
  const output = byId("stop-output");
  const open = () => {
    if (dialog.open) return;
    write(output, "");
    dialog.showModal();
  };
  button.addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });
  byId("stop-close")?.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    write(output, "Stopping …");
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        redirect: "error",
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(Object.values(said.errors || {}).flat().join(" ") || `status ${answer.status}`);
      await follow(said.report, output);
    } catch (error) {
      write(output, `Not stopped by this page (${error.message}). Sending the plain form …`);
      setTimeout(() => form.submit(), 600);
    }
  });
  return open;
}

/** Ask what the stop did until it is done. */
async function follow(address, output) {
  for (let round = 0; round < 100; round += 1) {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const report = await answer.json();
    write(output, report.text);
    if (report.done) return;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

function wireReport() {
  const node = byId("stop-report");
  if (node && node.dataset.done !== "yes") follow(location.href, node);
}

// Keys ------------------------------------------------------------------------------------------------------

function wireKeys(openStop) {
  let waiting = 0;
  const rows = () => [...document.querySelectorAll("#rows tbody tr[data-href]")];
  const select = (step) => {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => "selected" in row.dataset);
    const next = Math.max(0, Math.min(all.length - 1, now + step));
    if (now >= 0) delete all[now].dataset.selected;
    all[next].dataset.selected = "";
    all[next].scrollIntoView({ block: "nearest" });
  };
  addEventListener("keydown", (event) => {
    const inField = event.target.closest?.("input, select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (inField) {
      if (event.key === "Escape") event.target.blur?.();
      return;
    }
    const going = performance.now() - waiting < 1000;
    waiting = 0;
    if (going && event.key === "o") location.assign("/");
    else if (going && event.key === "m") location.assign("/markets/");
    else if (event.key === "g") waiting = performance.now();
    else if (event.key === ".") {
      event.preventDefault();
      openStop?.();
    } else if (event.key === "?") byId("keys-dialog")?.showModal?.();
    else if (event.key === "/") {
      event.preventDefault();
      const field = byId("search");
      if (field) field.focus();
      else location.assign("/markets/#search");
    } else if (event.key === "e") byId("edit-button")?.click();
    else if (event.key === "j") select(1);
    else if (event.key === "k") select(-1);
    else if (event.key === "Enter") {
      const row = document.querySelector("#rows tbody tr[data-selected]");
      if (row && !event.target.closest("a, button, summary")) location.assign(row.dataset.href);
    }
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label, form") && !getSelection().toString()) {
      location.assign(row.dataset.href);
    }
  });
  if (location.hash === "#search") byId("search")?.focus();
}

wireTheme();
wireKeys(wireStop());
wireReport();
showTimes();
showEngine();
setInterval(showTimes, 1000);
