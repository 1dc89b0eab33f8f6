"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const sheet = read("data-sheet");
  const page = read("data-page");
  const columns = sheet.columns;
  const PER_PAGE = 100;
  const CHOICES = 20; // distinct values for which a filter is a list

  // Every piece of text goes in as text: nothing here ever parses HTML.
  const make = (name, attributes = {}, ...content) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
    element.append(...content);
    return element;
  };

  // ---- How values read, as runner.units writes them -------------------------------------------------------------

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

  // ---- The rows: for each cell its text, and its number where it is one -----------------------------------------

  const text = (row, at) => {
    const column = columns[at], cell = sheet.rows[row][at];
    if (column.values) return column.values[cell][0];
    return cell === null ? "" : shown(column, cell);
  };
  const number = (row, at) => {
    const column = columns[at], cell = sheet.rows[row][at];
    if (column.values) return column.values[cell][1];
    return typeof cell === "number" ? cell : null;
  };
  const visible = columns.map((_, at) => at).filter((at) => columns[at].kind !== "hidden");
  const place = (kind) => columns.findIndex((column) => column.kind === kind);
  const ID = place("id"), STATUS = place("status");
  const variables = visible.filter((at) => columns[at].kind === "variable");
  const sessionName = (row) => variables.map((at) => `${columns[at].name}=${text(row, at)}`).join(" ") || text(row, ID);

  // ---- The table: filter, sort, pages --------------------------------------------------------------------------

  const table = document.getElementById("table");
  const [head, body] = [table.tHead, table.tBodies[0]];
  const state = { sort: null, down: false, page: 0, filters: new Map(), search: "", cause: null, open: new Set() };
  let haystack = null; // what the search looks through, made when it is first used
  let found = [];

  const test = (at, wanted) => {
    const range = /^\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*$/i.exec(wanted);
    if (range) {
      const [low, high] = [Number(range[1]), Number(range[2])];
      return (row) => { const value = number(row, at); return value !== null && value >= low && value <= high; };
    }
    const comparison = /^\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*$/.exec(wanted);
    if (comparison) {
      const [, operator, right] = comparison;
      const bound = right === "" ? NaN : Number(right);
      const same = (row) => Number.isNaN(bound) ? text(row, at) === right : number(row, at) === bound;
      if (operator === "=") return same;
      if (operator === "!=") return (row) => !same(row);
      const holds = { "<": (a) => a < bound, "<=": (a) => a <= bound, ">": (a) => a > bound, ">=": (a) => a >= bound }[operator];
      return (row) => { const value = number(row, at); return value !== null && holds(value); };
    }
    const part = wanted.trim().toLowerCase();
    return (row) => text(row, at).toLowerCase().includes(part);
  };

  const choose = () => {
    const tests = [];
    for (const [at, wanted] of state.filters) {
      if (wanted.code !== undefined) tests.push((row) => sheet.rows[row][at] === wanted.code);
      else if (wanted.part) tests.push(test(at, wanted.part));
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
        return { row, value, words, rank: value !== null ? 0 : words !== "" ? 1 : 2 };
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
    if (words === "" && column.kind !== "variable") return make("td", { class: "missing number" }, make("span", { title: "missing" }, "–"));
    if (column.numeric && number(row, at) === null) {
      return make("td", { class: "number" }, make("span", { class: "text", title: "not a number" }, words));
    }
    return make("td", { class: column.numeric || column.kind === "count" ? "number" : null, title: words.length > 40 ? words : null }, words);
  };
  const badge = (status) => make("span", { class: "status", "data-status": status },
    make("span", { "aria-hidden": "true" }, page.signs[status] ?? ""), ` ${status}`);

  const detail = (row) => {
    const list = make("dl");
    const add = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
    add("session", sessionName(row));
    for (const [at, column] of columns.entries()) if (column.kind === "hidden" && text(row, at)) add(column.name, text(row, at));
    for (const extra of ["", " --stderr"]) add(extra ? "its stderr" : "its stdout", make("code", {}, `runner logs ${quoted(page.file)} ${text(row, ID)}${extra}`));
    return make("tr", { class: "detail" }, make("td", { colspan: visible.length }, list));
  };
  const quoted = (word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;

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
    const total = sheet.rows.length.toLocaleString("en");
    const cause = state.cause === null ? "" : `, of cause ${state.cause + 1}`;
    document.getElementById("shown").textContent = found.length === sheet.rows.length
      ? `${total} sessions` : `${found.length.toLocaleString("en")} of ${total} sessions${cause}`;
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
      headings.append(make("th", { scope: "col", "data-at": at, "aria-sort": "none", class: number }, button));
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
        ...options.map(([words, code]) => make("option", { value: code }, words)));
      select.addEventListener("change", () => {
        if (select.value === "") state.filters.delete(at);
        else state.filters.set(at, { code: Number(select.value) });
        choose();
      });
      return select;
    }
    const input = make("input", { "aria-label": label, "aria-describedby": "filter-hint", autocomplete: "off", spellcheck: "false" });
    input.addEventListener("input", () => { state.filters.set(at, { part: input.value }); chooseLater(); });
    return input;
  };

  const search = document.getElementById("search");
  search.addEventListener("input", () => { state.search = search.value; chooseLater(); });
  const clear = () => {
    state.filters.clear();
    state.search = search.value = "";
    state.cause = null;
    for (const control of head.querySelectorAll("input, select")) control.value = "";
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

  // ---- Plots ---------------------------------------------------------------------------------------------------

  // What the plots draw from: the rows of the sheet by the keys of their columns, numbers as numbers.
  let records = null;
  const sessions = () => records ??= sheet.rows.map((cells, row) => {
    const record = { session: sessionName(row), status: text(row, STATUS) };
    for (const [at, column] of columns.entries()) {
      if (column.kind === "hidden") continue;
      record[column.key] = !column.values ? cells[at] : column.numeric ? column.values[cells[at]][1] : column.values[cells[at]][0];
    }
    return record;
  });

  const tip = make("div", { id: "tip", hidden: "" });
  document.body.append(tip);
  // A tip's numbers as the table has them, and no more digits than a glance takes in.
  const told = (name, words) => {
    const value = words.trim() === "" ? NaN : Number(words);
    if (Number.isNaN(value)) return words;
    const column = columns.find((one) => one.kind === "measured" && name.split(", ")[0] === one.name);
    return column ? shown(column, value) : words.length > 8 ? String(Number(value.toPrecision(6))) : words;
  };
  const hint = (_, event, __, value) => {
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    const list = make("dl");
    for (const [name, words] of Object.entries(value)) list.append(make("dt", {}, name), make("dd", {}, told(name, String(words))));
    tip.replaceChildren(list);
    const { clientX: x, clientY: y } = event, { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 10) : y + 16}px`;
  };

  const look = () => {
    const of = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const [ink, soft, line, paper] = [of("--ink"), of("--soft"), of("--line"), of("--paper")];
    // Okabe and Ito's colours, to be told apart with every kind of colour vision; blue and the last one as the paper needs them.
    const blue = of("--blue"), category = [blue, "#d55e00", "#009e73", "#cc79a7", "#e69f00", of("--sky"), soft];
    return {
      range: { category },
      background: null, font: "system-ui, sans-serif", view: { stroke: null },
      axis: { labelColor: soft, titleColor: ink, gridColor: line, domainColor: soft, tickColor: soft, labelFontSize: 12, titleFontSize: 13, titleFontWeight: 600 },
      legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, symbolSize: 110 },
      text: { color: ink }, rule: { color: soft }, line: { color: blue }, point: { color: blue }, bar: { color: blue },
      style: { halo: { stroke: paper, strokeWidth: 4, strokeJoin: "round" } },
      errorband: { band: { color: blue } },
    };
  };
  const drawn = new Map();
  const embed = async (element, spec, described) => {
    drawn.get(element)?.finalize();
    const config = look();
    const result = await vegaEmbed(element, { ...spec, config }, {
      actions: false, ast: true, renderer: "canvas", defaultStyle: false, tooltip: hint, config: {},
    });
    // To a screen reader the figure is one image with a name; what it shows stands in a table, too.
    element.setAttribute("role", "img");
    element.removeAttribute("aria-roledescription");
    element.setAttribute("aria-label", described);
    drawn.set(element, result);
  };

  const chart = document.getElementById("chart"), metric = document.getElementById("metric");
  const plot = async () => {
    if (!chart) return;
    const spec = page.plots[metric.value];
    const at = columns.findIndex((column) => column.key === metric.value);
    let without = 0;
    for (let row = 0; row < sheet.rows.length; row++) if (number(row, at) === null) without++;
    document.getElementById("chart-note").textContent = without
      ? `${without.toLocaleString("en")} of ${sheet.rows.length.toLocaleString("en")} sessions have no number for ${columns[at].name}.` : "";
    await embed(chart, { ...spec, datasets: { sessions: sessions() } }, `plot of ${columns[at].name}; its numbers stand below it`);
  };
  const gantt = document.getElementById("gantt");
  const timeline = async () => {
    if (!gantt) return;
    const width = Math.max(200, gantt.clientWidth - 85);
    await embed(gantt, { ...page.timeline, vconcat: page.timeline.vconcat.map((one) => ({ ...one, width })) },
      "timeline of attempts by slot; when each began and how long it took stands in the table of sessions");
  };
  const plots = () => Promise.all([plot(), timeline()]);

  // ---- Theme ---------------------------------------------------------------------------------------------------

  const theme = document.getElementById("theme"), themes = ["system", "light", "dark"];
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % themes.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
    plots();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plots);
  let width = innerWidth;
  addEventListener("resize", later(() => { if (width !== innerWidth) { width = innerWidth; timeline(); } }));

  drawHead();
  choose();
  metric?.addEventListener("change", plot);
  plots().then(() => { document.documentElement.dataset.ready = "true"; });
})();
