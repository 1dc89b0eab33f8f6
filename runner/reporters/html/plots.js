// The plots and the timeline, in the colours of the theme.

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
  if (Number.isNaN(value)) return apart(words);
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
    ? `${without.toLocaleString("en")} of ${counted(sheet.rows.length, "session")} ${without === 1 ? "has" : "have"} no number for ${columns[at].name}.` : "";
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

metric?.addEventListener("change", plot);
plots().then(() => { document.documentElement.dataset.ready = "true"; });
