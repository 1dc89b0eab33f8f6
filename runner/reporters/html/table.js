// The table of sessions: filters, order, pages, and what a row shows when it is opened.

const PER_PAGE = 100;
const CHOICES = 20; // distinct values for which a filter is a list

const table = document.getElementById("table");
const [head, body] = [table.tHead, table.tBodies[0]];
const state = { sort: null, down: false, page: 0, filters: new Map(), search: "", cause: null, open: new Set() };
let haystack = null; // what the search looks through, made when it is first used
let found = [];
let unread = []; // the columns whose filters cannot be read

// What a filter asks of a row; null where it cannot be read.
const test = (at, wanted) => {
  const column = columns[at], measures = column.numeric || column.kind === "count";
  const within = (holds) => (row) => { const value = number(row, at); return value !== null && holds(value); };
  const comparison = /^(<=|>=|!=|=|<|>)\s*(.*)$/s.exec(wanted);
  if (comparison) {
    const [, operator, right] = comparison;
    const bound = amount(column, right);
    const same = (row) => text(row, at) === right || bound !== null && number(row, at) === bound;
    if (operator === "=") return same;
    if (operator === "!=") return (row) => !same(row);
    if (bound === null) return null;
    return within({ "<": (a) => a < bound, "<=": (a) => a <= bound, ">": (a) => a > bound, ">=": (a) => a >= bound }[operator]);
  }
  const range = measures ? /^(.*?)\s*\.\.\s*(.*)$/s.exec(wanted) : null;
  if (range) {
    const [low, high] = [range[1], range[2]].map((end, upper) => end === "" ? (upper ? Infinity : -Infinity) : amount(column, end));
    return low === null || high === null || wanted === ".." ? null : within((value) => value >= low && value <= high);
  }
  const part = wanted.toLowerCase();
  return (row) => text(row, at).toLowerCase().includes(part);
};

const mark = (input, wrong) => {
  if (wrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
};

const choose = () => {
  const tests = [];
  unread = [];
  for (const [at, wanted] of state.filters) {
    if (wanted.code !== undefined) {
      tests.push((row) => sheet.rows[row][at] === wanted.code);
      continue;
    }
    const holds = wanted.part ? test(at, wanted.part) : () => true;
    if (holds) tests.push(holds);
    else unread.push(columns[at].name);
    mark(wanted.input, !holds);
  }
  if (state.cause !== null) {
    const ids = new Set(page.causes[state.cause]);
    tests.push((row) => ids.has(text(row, ID)));
  }
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) {
    haystack ??= sheet.rows.map((_, row) => columns.map((column, at) =>
      column.kind === "variable" ? `${column.name}=${text(row, at)}` : text(row, at)).join("\n").toLowerCase());
    tests.push((row) => words.every((word) => haystack[row].includes(word)));
  }
  found = [];
  for (let row = 0; row < sheet.rows.length; row++) if (tests.every((holds) => holds(row))) found.push(row);
  order();
};

const order = () => {
  if (state.sort === null) found.sort((a, b) => a - b);
  else {
    const at = state.sort, sign = state.down ? -1 : 1;
    // Numbers, then text, and what is missing last, whichever way; equal rows stay in the order of the plan.
    const keyed = found.map((row) => {
      const value = number(row, at), words = text(row, at);
      return { row, value, words, rank: value !== null ? 0 : missing(row, at) ? 2 : 1 };
    });
    const collator = new Intl.Collator("en", { numeric: true });
    keyed.sort((a, b) => a.rank - b.rank
      || sign * (a.rank === 0 ? a.value - b.value : a.rank === 1 ? collator.compare(a.words, b.words) : 0)
      || a.row - b.row);
    found = keyed.map((one) => one.row);
  }
  state.page = 0;
  draw();
};

const cell = (row, at) => {
  const column = columns[at], words = text(row, at);
  if (column.kind === "id") {
    const open = state.open.has(row);
    const button = make("button", { type: "button", "aria-expanded": String(open), title: "more of this session" }, words);
    button.addEventListener("click", () => {
      if (!state.open.delete(row)) state.open.add(row);
      draw();
      body.querySelector(`tr[data-row="${row}"] button`).focus();
    });
    return make("td", {}, button);
  }
  if (column.kind === "status") return make("td", {}, badge(words));
  if (missing(row, at)) return make("td", { class: "missing number" }, make("span", { title: "missing" }, "–"));
  if (column.numeric && number(row, at) === null) {
    return make("td", { class: "number" }, make("span", { class: "text", title: "not a number" }, apart(words)));
  }
  return make("td", { class: column.numeric || column.kind === "count" ? "number" : null, title: words.length > 40 ? words : null }, apart(words));
};
const badge = (status) => make("span", { class: "status", "data-status": status },
  make("span", { "aria-hidden": "true" }, page.signs[status] ?? ""), ` ${status}`);

const detail = (row) => {
  const list = make("dl");
  const add = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
  add("session", sessionName(row));
  for (const [at, column] of columns.entries()) if (column.kind === "hidden" && text(row, at)) add(column.name, text(row, at));
  for (const extra of ["", " --stderr"]) add(extra ? "its stderr" : "its stdout", make("code", {}, `${page.logs} ${text(row, ID)}${extra}`));
  return make("tr", { class: "detail" }, make("td", { colspan: visible.length }, list));
};

const draw = () => {
  const first = state.page * PER_PAGE;
  const rows = [];
  for (const row of found.slice(first, first + PER_PAGE)) {
    rows.push(make("tr", { "data-row": row }, ...visible.map((at) => cell(row, at))));
    if (state.open.has(row)) rows.push(detail(row));
  }
  if (!rows.length) rows.push(make("tr", {}, make("td", { colspan: visible.length }, "No session is like that.")));
  body.replaceChildren(...rows);
  for (const at of visible) {
    const way = state.sort !== at ? "none" : state.down ? "descending" : "ascending";
    const header = head.querySelector(`th[data-at="${at}"]`);
    header.setAttribute("aria-sort", way);
    header.querySelector("span").textContent = { none: "", ascending: " ▲", descending: " ▼" }[way];
  }
  const total = counted(sheet.rows.length, "session");
  const cause = state.cause === null ? "" : `, of cause ${state.cause + 1}`;
  const ignored = unread.length ? `; not readable: the filter by ${unread.join(", ")}` : "";
  document.getElementById("shown").textContent = (found.length === sheet.rows.length
    ? total : `${found.length.toLocaleString("en")} of ${total}${cause}`) + ignored;
  drawPages();
};

const pages = document.getElementById("pages");
const turn = (words, by) => {
  const button = make("button", { type: "button" }, words);
  button.addEventListener("click", () => { state.page += by; draw(); table.scrollIntoView({ block: "start" }); });
  pages.append(button);
  return button;
};
const [back, , forth] = [turn("Previous", -1), pages.appendChild(make("span")), turn("Next", 1)];
const drawPages = () => {
  pages.hidden = found.length <= PER_PAGE;
  const first = state.page * PER_PAGE;
  pages.querySelector("span").textContent =
    `${(first + 1).toLocaleString("en")}–${Math.min(first + PER_PAGE, found.length).toLocaleString("en")} of ${found.length.toLocaleString("en")}`;
  back.disabled = state.page === 0;
  forth.disabled = first + PER_PAGE >= found.length;
};

const later = (act) => {
  let timer = 0;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => act(...given), 120); };
};
const chooseLater = later(choose);

const drawHead = () => {
  const headings = make("tr"), filters = make("tr", { class: "filter" });
  for (const at of visible) {
    const column = columns[at];
    const button = make("button", { type: "button" }, column.name, make("span", { "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      state.down = state.sort === at && !state.down;
      state.sort = at;
      order();
    });
    const number = column.numeric || column.kind === "count" ? "number" : null;
    headings.append(make("th", { scope: "col", "data-at": at, "aria-sort": "none", class: number, title: column.about }, button));
    filters.append(make("th", {}, filter(at)));
  }
  head.replaceChildren(headings, filters);
};
const filter = (at) => {
  const column = columns[at], label = `filter by ${column.name}`;
  if (column.values && column.values.length > 1 && column.values.length <= CHOICES) {
    const options = column.values.map(([words], code) => [words, code, column.values[code][1]]);
    if (column.numeric) options.sort((a, b) => a[2] - b[2]);
    const select = make("select", { "aria-label": label }, make("option", { value: "" }, "all"),
      ...options.map(([words, code]) => make("option", { value: code }, apart(words))));
    select.addEventListener("change", () => {
      if (select.value === "") state.filters.delete(at);
      else state.filters.set(at, { code: Number(select.value) });
      choose();
    });
    return select;
  }
  const input = make("input", { "aria-label": label, "aria-describedby": "filter-hint", autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", () => { state.filters.set(at, { part: input.value.trim(), input }); chooseLater(); });
  return input;
};

const search = document.getElementById("search");
search.addEventListener("input", () => { state.search = search.value; chooseLater(); });
const clear = () => {
  state.filters.clear();
  state.search = search.value = "";
  state.cause = null;
  for (const control of head.querySelectorAll("input, select")) {
    control.value = "";
    mark(control, false);
  }
};
document.getElementById("clear").addEventListener("click", () => { clear(); choose(); });
for (const button of document.querySelectorAll("button[data-cause]")) {
  button.addEventListener("click", () => {
    clear();
    state.cause = Number(button.dataset.cause);
    choose();
    document.getElementById("sessions").scrollIntoView();
    table.parentElement.focus({ preventScroll: true });
  });
}

drawHead();
choose();
