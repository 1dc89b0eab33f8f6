// The plots and the timeline, in the colours of the theme.

// The data of the plots: the rows by the keys of their columns, numbers as numbers.
let records = null;
const plotRecords = () => records ??= sessions.rows.map((cells, row) => {
  const record = { session: sessionName(row), status: cellText(row, STATUS) };
  for (const [at, column] of columns.entries()) {
    if (column.kind === "hidden") continue;
    record[column.key] = !column.values ? cells[at] : column.numeric ? column.values[cells[at]][1] : column.values[cells[at]][0];
  }
  return record;
});

const tip = make("div", { id: "tip", hidden: "" });
document.body.append(tip);
// The numbers of a tooltip, formatted as in the table.
const tooltipText = (name, words) => {
  const value = words.trim() === "" ? NaN : Number(words);
  if (Number.isNaN(value)) return quoted(words);
  const column = columns.find((one) => one.kind === "measured" && name.split(", ")[0] === one.name);
  return column ? format(column, value) : words.length > 8 ? String(Number(value.toPrecision(6))) : words;
};
const showTooltip = (_, event, __, value) => {
  tip.hidden = value === null || value === undefined || value === "";
  if (tip.hidden) return;
  const list = make("dl");
  for (const [name, words] of Object.entries(value)) list.append(make("dt", {}, name), make("dd", {}, tooltipText(name, String(words))));
  tip.replaceChildren(list);
  const { clientX: x, clientY: y } = event, { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 10) : y + 16}px`;
};

const themeConfig = () => {
  const of = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const [ink, soft, line, paper] = [of("--ink"), of("--soft"), of("--line"), of("--paper")];
  // The palette of Okabe and Ito, which suits every kind of colour vision; three colours depend on the theme.
  const blue = of("--blue"), category = [blue, "#d55e00", "#009e73", "#cc79a7", "#e69f00", of("--sky"), soft];
  // The dark end of viridis would be invisible on a dark ground.
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  const shades = { scheme: "viridis", extent: dark ? [0.2, 1] : [0, 1] };
  return {
    range: { category, ramp: shades, heatmap: shades },
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
  const config = themeConfig();
  const result = await vegaEmbed(element, { ...spec, config }, {
    actions: false, ast: true, renderer: "canvas", defaultStyle: false, tooltip: showTooltip, config: {},
  });
  // A screen reader gets one image with a name; a table has the same values.
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
  for (let row = 0; row < sessions.rows.length; row++) if (cellNumber(row, at) === null) without++;
  document.getElementById("chart-note").textContent = without
    ? `${without.toLocaleString("en")} of ${counted(sessions.rows.length, "session")} ${without === 1 ? "has" : "have"} no number for ${columns[at].name}.` : "";
  await embed(chart, { ...spec, datasets: { sessions: plotRecords() } }, `plot of ${columns[at].name}; a table of its values follows`);
};
const gantt = document.getElementById("gantt");
const attempts = () => page.timeline.attempts.map(([session, attempt, slot, start, end, status]) => ({
  slot, status, attempt, start: start / page.timeline.unit, end: end / page.timeline.unit,
  session: typeof session === "number" ? sessionName(session) : session,
  started: new Date((page.timeline.start + start) * 1000).toISOString(), took: duration(end - start),
}));
const timeline = async () => {
  if (!gantt) return;
  const width = Math.max(200, gantt.clientWidth - 85);
  const { spec, use } = page.timeline, datasets = { attempts: attempts(), use };
  await embed(gantt, { ...spec, datasets, vconcat: spec.vconcat.map((one) => ({ ...one, width })) },
    "timeline of attempts by slot; the table of sessions has the start and duration of each");
};
const plots = () => Promise.all([plot(), timeline()]);

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
addEventListener("resize", debounced(() => { if (width !== innerWidth) { width = innerWidth; timeline(); } }));

metric?.addEventListener("change", plot);
plots().then(() => { document.documentElement.dataset.ready = "true"; });
