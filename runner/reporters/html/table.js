// The table of sessions: filters, sorting, pages, and the details of a row.

const PER_PAGE = 100;
const MOST_CHOICES = 20; // distinct values up to which a filter is a list

const table = document.getElementById("table");
const [head, body] = [table.tHead, table.tBodies[0]];
const state = { sort: null, descending: false, page: 0, filters: new Map(), search: "", cause: null, open: new Set() };
let searchTexts = null; // by row, made for the first search
let found = []; // the rows that match, in order
let invalid = []; // the columns whose filters are not valid

// The predicate of a filter on a row; null if the filter is not valid.
const predicate = (at, filter) => {
  const column = columns[at], isNumeric = column.numeric || column.kind === "count";
  const within = (holds) => (row) => { const value = cellNumber(row, at); return value !== null && holds(value); };
  const comparison = /^(<=|>=|!=|=|<|>)\s*(.*)$/s.exec(filter);
  if (comparison) {
    const [, operator, right] = comparison;
    const bound = parseAmount(column, right);
    const same = (row) => cellText(row, at) === right || bound !== null && cellNumber(row, at) === bound;
    if (operator === "=") return same;
    if (operator === "!=") return (row) => !same(row);
    if (bound === null) return null;
    return within({ "<": (a) => a < bound, "<=": (a) => a <= bound, ">": (a) => a > bound, ">=": (a) => a >= bound }[operator]);
  }
  const range = isNumeric ? /^(.*?)\s*\.\.\s*(.*)$/s.exec(filter) : null;
  if (range) {
    const [low, high] = [range[1], range[2]].map((end, upper) => end === "" ? (upper ? Infinity : -Infinity) : parseAmount(column, end));
    return low === null || high === null || filter === ".." ? null : within((value) => value >= low && value <= high);
  }
  const part = filter.toLowerCase();
  return (row) => cellText(row, at).toLowerCase().includes(part);
};

const markInvalid = (input, isInvalid) => {
  if (isInvalid) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
};

const applyFilters = () => {
  const tests = [];
  invalid = [];
  for (const [at, wanted] of state.filters) {
    if (wanted.code !== undefined) {
      tests.push((row) => sessions.rows[row][at] === wanted.code);
      continue;
    }
    const holds = wanted.text ? predicate(at, wanted.text) : () => true;
    if (holds) tests.push(holds);
    else invalid.push(columns[at].name);
    markInvalid(wanted.input, !holds);
  }
  if (state.cause !== null) {
    const ids = new Set(page.causes[state.cause]);
    tests.push((row) => ids.has(cellText(row, ID)));
  }
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) {
    searchTexts ??= sessions.rows.map((_, row) => columns.map((column, at) =>
      column.kind === "variable" ? `${column.name}=${cellText(row, at)}` : cellText(row, at)).join("\n").toLowerCase());
    tests.push((row) => words.every((word) => searchTexts[row].includes(word)));
  }
  found = [];
  for (let row = 0; row < sessions.rows.length; row++) if (tests.every((holds) => holds(row))) found.push(row);
  sortRows();
};

const sortRows = () => {
  if (state.sort === null) found.sort((a, b) => a - b);
  else {
    const at = state.sort, sign = state.descending ? -1 : 1;
    // Numbers, then text, then missing values, in both directions; equal rows stay in plan order.
    const keyed = found.map((row) => {
      const value = cellNumber(row, at), words = cellText(row, at);
      return { row, value, words, rank: value !== null ? 0 : isMissing(row, at) ? 2 : 1 };
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
  const column = columns[at], words = cellText(row, at);
  if (column.kind === "id") {
    const open = state.open.has(row);
    const button = make("button", { type: "button", "aria-expanded": String(open), title: "details of this session" }, words);
    button.addEventListener("click", () => {
      if (!state.open.delete(row)) state.open.add(row);
      draw();
      body.querySelector(`tr[data-row="${row}"] button`).focus();
    });
    return make("td", {}, button);
  }
  if (column.kind === "status") return make("td", {}, badge(words));
  if (isMissing(row, at)) return make("td", { class: "missing number" }, make("span", { title: "missing" }, "–"));
  if (column.numeric && cellNumber(row, at) === null) {
    return make("td", { class: "number" }, make("span", { class: "text", title: "not a number" }, quoted(words)));
  }
  return make("td", { class: column.numeric || column.kind === "count" ? "number" : null, title: fullText(row, at, words) }, quoted(words));
};
// What the cell does not show: the end of a long text, or the digits of a rounded number.
const fullText = (row, at, words) => {
  const value = sessions.rows[row][at], exact = typeof value === "number" && !columns[at].values ? String(value) : words;
  return exact !== words || words.length > 40 ? exact : null;
};
const badge = (status) => make("span", { class: "status", "data-status": status },
  make("span", { "aria-hidden": "true" }, page.symbols[status] ?? ""), ` ${status}`);

const detail = (row) => {
  const list = make("dl");
  const add = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
  add("session", sessionName(row));
  for (const [at, column] of columns.entries()) if (column.kind === "hidden" && cellText(row, at)) add(column.name, cellText(row, at));
  for (const extra of ["", " --stderr"]) add(extra ? "stderr" : "stdout", make("code", {}, `${page.logs} ${cellText(row, ID)}${extra}`));
  return make("tr", { class: "detail" }, make("td", { colspan: visible.length }, list));
};

const draw = () => {
  const first = state.page * PER_PAGE;
  const rows = [];
  for (const row of found.slice(first, first + PER_PAGE)) {
    rows.push(make("tr", { "data-row": row }, ...visible.map((at) => cell(row, at))));
    if (state.open.has(row)) rows.push(detail(row));
  }
  if (!rows.length) rows.push(make("tr", {}, make("td", { colspan: visible.length }, "No session matches.")));
  body.replaceChildren(...rows);
  for (const at of visible) {
    const direction = state.sort !== at ? "none" : state.descending ? "descending" : "ascending";
    const header = head.querySelector(`th[data-at="${at}"]`);
    header.setAttribute("aria-sort", direction);
    header.querySelector("span").textContent = { none: "", ascending: " ▲", descending: " ▼" }[direction];
  }
  const total = counted(sessions.rows.length, "session");
  const cause = state.cause === null ? "" : `, of cause ${state.cause + 1}`;
  const problem = invalid.length ? `; not a valid filter: ${invalid.join(", ")}` : "";
  document.getElementById("shown").textContent = (found.length === sessions.rows.length
    ? total : `${found.length.toLocaleString("en")} of ${total}${cause}`) + problem;
  drawPages();
};

const pages = document.getElementById("pages");
const pageButton = (words, by) => {
  const button = make("button", { type: "button" }, words);
  button.addEventListener("click", () => { state.page += by; draw(); table.scrollIntoView({ block: "start" }); });
  pages.append(button);
  return button;
};
const [previous, , next] = [pageButton("Previous", -1), pages.appendChild(make("span")), pageButton("Next", 1)];
const drawPages = () => {
  pages.hidden = found.length <= PER_PAGE;
  const first = state.page * PER_PAGE;
  pages.querySelector("span").textContent =
    `${(first + 1).toLocaleString("en")}–${Math.min(first + PER_PAGE, found.length).toLocaleString("en")} of ${found.length.toLocaleString("en")}`;
  previous.disabled = state.page === 0;
  next.disabled = first + PER_PAGE >= found.length;
};

const debounced = (act) => {
  let timer = 0;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => act(...given), 120); };
};
const applyFiltersLater = debounced(applyFilters);

const drawHead = () => {
  const headings = make("tr"), filters = make("tr", { class: "filter" });
  for (const at of visible) {
    const column = columns[at];
    const button = make("button", { type: "button" }, column.name, make("span", { "aria-hidden": "true" }));
    button.addEventListener("click", () => {
      state.descending = state.sort === at && !state.descending;
      state.sort = at;
      sortRows();
    });
    const number = column.numeric || column.kind === "count" ? "number" : null;
    headings.append(make("th", { scope: "col", "data-at": at, "aria-sort": "none", class: number, title: column.about }, button));
    filters.append(make("th", {}, filter(at)));
  }
  head.replaceChildren(headings, filters);
};
const filter = (at) => {
  const column = columns[at], label = `filter by ${column.name}`;
  if (column.values && column.values.length > 1 && column.values.length <= MOST_CHOICES) {
    const options = column.values.map(([words], code) => [words, code, column.values[code][1]]);
    if (column.numeric) options.sort((a, b) => a[2] - b[2]);
    const select = make("select", { "aria-label": label }, make("option", { value: "" }, "all"),
      ...options.map(([words, code]) => make("option", { value: code }, quoted(words))));
    select.addEventListener("change", () => {
      if (select.value === "") state.filters.delete(at);
      else state.filters.set(at, { code: Number(select.value) });
      applyFilters();
    });
    return select;
  }
  const input = make("input", { "aria-label": label, "aria-describedby": "filter-hint", autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", () => { state.filters.set(at, { text: input.value.trim(), input }); applyFiltersLater(); });
  return input;
};

const search = document.getElementById("search");
search.addEventListener("input", () => { state.search = search.value; applyFiltersLater(); });
const clear = () => {
  state.filters.clear();
  state.search = search.value = "";
  state.cause = null;
  for (const control of head.querySelectorAll("input, select")) {
    control.value = "";
    markInvalid(control, false);
  }
};
document.getElementById("clear").addEventListener("click", () => { clear(); applyFilters(); });
for (const button of document.querySelectorAll("button[data-cause]")) {
  button.addEventListener("click", () => {
    clear();
    state.cause = Number(button.dataset.cause);
    applyFilters();
    document.getElementById("sessions").scrollIntoView();
    table.parentElement.focus({ preventScroll: true });
  });
}

drawHead();
applyFilters();
