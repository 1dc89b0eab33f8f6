// The data of the page, and how values read.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const sheet = read("data-sheet");
const page = read("data-page");
const columns = sheet.columns;

// Every piece of text goes in as text: nothing here ever parses HTML.
const make = (name, attributes = {}, ...content) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...content);
  return element;
};

const duration = (seconds) => {
  const pad = (number) => String(number).padStart(2, "0");
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds), minutes = Math.round(seconds / 60), hours = Math.round(seconds / 3600);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${pad(hours % 24)}h`;
};
const memory = (size) => {
  if (size < 1024) return `${size} B`;
  let number = size, unit = "";
  for (unit of ["KiB", "MiB", "GiB", "TiB"]) {
    number /= 1024;
    if (number < 1023.95) break;
  }
  return `${number.toFixed(1).replace(/\.0$/, "")} ${unit}`;
};
const shown = (column, value) => {
  if (typeof value !== "number") return value;
  if (column.quantity === "duration") return duration(value);
  if (column.quantity === "memory") return memory(value);
  return String(value);
};

// The number that is meant, in seconds or bytes where the cells show units: `4m 05s`, `13.2 MiB`; null of anything else.
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
const amount = (column, words) => {
  if (words === "") return null;
  if (!Number.isNaN(Number(words))) return Number(words);
  let value = NaN;
  if (column.quantity === "duration" && /^(?:[\d.]+\s*(?:ms|[smhd])\s*)+$/.test(words)) {
    const parts = [...words.matchAll(/([\d.]+)\s*(ms|[smhd])/g)];
    value = parts.reduce((sum, [, number, unit]) => sum + (unit === "ms" ? number / 1000 : number * SECONDS[unit]), 0);
  } else if (column.quantity === "memory") {
    const parts = /^([\d.]+)\s*(?:([kmgt])(?:i?b)?|b)$/i.exec(words);
    if (parts) value = Number(parts[1]) * 1024 ** (" kmgt".indexOf((parts[2] ?? " ").toLowerCase()));
  }
  return Number.isNaN(value) ? null : value;
};

const text = (row, at) => {
  const column = columns[at], cell = sheet.rows[row][at];
  if (column.values) return column.values[cell][0];
  return column.exact[row] ?? (cell === null ? "" : shown(column, cell));
};
const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
// A text that nobody takes for a missing one.
const apart = (words) => ["", "-", "–"].includes(words) ? `'${words}'` : words;
const missing = (row, at) => !columns[at].values && sheet.rows[row][at] === null;
const number = (row, at) => {
  const column = columns[at], cell = sheet.rows[row][at];
  if (column.values) return column.values[cell][1];
  return typeof cell === "number" ? cell : null;
};
const visible = columns.map((_, at) => at).filter((at) => columns[at].kind !== "hidden");
const place = (kind) => columns.findIndex((column) => column.kind === kind);
const ID = place("id"), STATUS = place("status");
const variables = visible.filter((at) => columns[at].kind === "variable");
const sessionName = (row) => variables.map((at) => `${columns[at].name}=${apart(text(row, at))}`).join(" ") || text(row, ID);
