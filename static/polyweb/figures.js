/* How numbers read: the same rules as polyweb/dashboard/figures.py. What is not known is a dash, never a zero. */

const NOTHING = "–";
const MINUS = "−";
const THIN = "\u202f";

function number(value) {
  if (value === null || value === undefined || value === "") return null;
  const found = Number(value);
  return Number.isFinite(found) ? found : null;
}

function plain(value, places, signed) {
  const text = Math.abs(value).toFixed(places);
  const [whole, part] = text.split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, THIN) + (part ? `.${part}` : "");
  if (Number(text) === 0) return digits;
  if (value < 0) return MINUS + digits;
  return signed ? `+${digits}` : digits;
}

const places = (value) => (Number.isInteger(value) ? 0 : 2);

/** Each takes the raw value and the market's decimals of a cent. */
export const formats = {
  cents: (value, decimals) => plain(value * 100, decimals, false),
  cents1: (value) => plain(value * 100, 2, false),
  money: (value) => plain(value, 2, true),
  amount: (value) => plain(value, 2, false),
  shares: (value) => plain(value, places(value), false),
  net: (value) => plain(value, places(value), true),
  whole: (value) => plain(value, 0, false),
  millis: (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`),
  micros: (value) =>
    value < 1e3 ? `${value.toFixed(0)} µs` : value < 1e6 ? `${(value / 1e3).toFixed(1)} ms` : `${(value / 1e6).toFixed(2)} s`,
};

const LONG_ID = /\b(0x[0-9a-f]{4})[0-9a-f]{12,}\b/g;

export function figure(value, format, decimals = 1) {
  if (format === "text") return value ? String(value).replace(LONG_ID, "$1…") : "";
  if (format === "spaced") return value ? String(value).replaceAll("_", " ") : "";
  if (format === "word") return value ? String(value) : NOTHING;
  const found = number(value);
  return found === null ? NOTHING : formats[format](found, decimals);
}

export function sign(value) {
  const found = number(value);
  return found === null || found === 0 ? "" : found > 0 ? "up" : "down";
}

export function age(seconds) {
  const span = Math.max(0, seconds);
  if (span < 10) return `${span.toFixed(1)} s`;
  if (span < 120) return `${Math.floor(span)} s`;
  if (span < 7200) return `${Math.floor(span / 60)} min`;
  if (span < 172800) return `${Math.floor(span / 3600)} h`;
  const days = Math.floor(span / 86400);
  return days < 730 ? `${days} d` : `${Math.floor(days / 365)} y`;
}

export function share(value, whole) {
  const part = number(value);
  const total = number(whole);
  return part === null || !total || total <= 0 ? 0 : Math.min(100, Math.abs((part * 100) / total));
}

const pad = (value) => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The viewer's zone; as wide as what the server wrote. */
export function precise(moment) {
  const seconds = `${pad(moment.getSeconds())}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
  return clock(moment).replace(/(\d\d:\d\d)(:\d\d)?$/, `$1:${seconds}`);
}

export function clock(moment, now = new Date()) {
  const time = `${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
  if (moment.toDateString() === now.toDateString()) return `${time}:${pad(moment.getSeconds())}`;
  const year = moment.getFullYear() === now.getFullYear() ? "" : ` ${moment.getFullYear()}`;
  return `${moment.getDate()} ${MONTHS[moment.getMonth()]}${year} ${time}`;
}
