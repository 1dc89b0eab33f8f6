// The data of the page, and how values are shown.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const sessions = read("data-sessions");
const page = read("data-page");
const columns = sessions.columns;

// An element. All content is text: nothing on this page parses HTML.
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
const format = (column, value) => {
  if (typeof value !== "number") return value;
  if (column.quantity === "duration") return duration(value);
  if (column.quantity === "memory") return memory(value);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
};

// The number that a filter means, in seconds or bytes in columns that show units (`4m 05s`, `13.2 MiB`); null if it is not one.
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
const parseAmount = (column, text) => {
  if (text === "") return null;
  if (!Number.isNaN(Number(text))) return Number(text);
  let value = NaN;
  if (column.quantity === "duration" && /^(?:[\d.]+\s*(?:ms|[smhd])\s*)+$/.test(text)) {
    const parts = [...text.matchAll(/([\d.]+)\s*(ms|[smhd])/g)];
    value = parts.reduce((sum, [, number, unit]) => sum + (unit === "ms" ? number / 1000 : number * SECONDS[unit]), 0);
  } else if (column.quantity === "memory") {
    const parts = /^([\d.]+)\s*(?:([kmgt])(?:i?b)?|b)$/i.exec(text);
    if (parts) value = Number(parts[1]) * 1024 ** (" kmgt".indexOf((parts[2] ?? " ").toLowerCase()));
  }
  return Number.isNaN(value) ? null : value;
};

const cellText = (row, at) => {
  const column = columns[at], cell = sessions.rows[row][at];
  if (column.values) return column.values[cell][0];
  return column.exact[row] ?? (cell === null ? "" : format(column, cell));
};
const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
// A text in quotes where it would look like a missing value.
const quoted = (text) => ["", "-", "–"].includes(text) ? `'${text}'` : text;
const isMissing = (row, at) => !columns[at].values && sessions.rows[row][at] === null;
const cellNumber = (row, at) => {
  const column = columns[at], cell = sessions.rows[row][at];
  if (column.values) return column.values[cell][1];
  return typeof cell === "number" ? cell : null;
};
const visible = columns.map((_, at) => at).filter((at) => columns[at].kind !== "hidden");
const indexOf = (kind) => columns.findIndex((column) => column.kind === kind);
const ID = indexOf("id"), STATUS = indexOf("status");
const variables = visible.filter((at) => columns[at].kind === "variable");
const sessionName = (row) => variables.map((at) => `${columns[at].name}=${quoted(cellText(row, at))}`).join(" ") || cellText(row, ID);
