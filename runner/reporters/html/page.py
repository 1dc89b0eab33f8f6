"""The page: one file with everything in it, and a policy that lets it neither fetch nor run anything else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from runner.reporters.html import bundle, gantt, sections, timeline, vega_lite
from runner.reporters.html.chart_choice import Chart, choose
from runner.reporters.html.data import MOST_BARS, Material
from runner.reporters.html.dataset import ABOUT, Field, Sheet, sheet
from runner.reporters.html.html import Markup, data_block, escaped, joined, tag
from runner.reporters.html.parallel_coordinates import MOST_LINES
from runner.reporters.html.theme import COLOUR, SIGN
from runner.results.aggregate import group
from runner.text import variables
from runner.units import counted

SECTIONS = ("Overview", "Plot", "Sessions", "Timeline", "Failures", "Provenance")

PROGRAM = ("values.js", "table.js", "plots.js")
"""Parts of one script: each uses what those before it define."""

EXPLAINED: Mapping[str, str] = {
    "line": "The line joins the means; each faint point is a session.",
    "lines": "Each line joins the means; each faint point is a session.",
    "heatmap": "Each cell is the mean of its sessions; a grey one has sessions, but none with a number.",
    "scatter": "Each point is the mean of its sessions.",
    "bars": "Each bar is the mean, each point a session.",
    "grouped-bars": "Each bar is the mean, each point a session.",
    "parallel": "Each line is one combination, from value to value; the last axis is the mean of its sessions, as is the colour.",
    "strip": "Each point is a session, the dashed line their mean.",
}

SPREAD: Mapping[str, str] = {
    "line": " The band is one standard deviation to each side.",
    "lines": " The band is one standard deviation to each side.",
    "bars": " The whisker is one standard deviation to each side.",
    "grouped-bars": " The whisker is one standard deviation to each side.",
}
"""What is said of it where there is any."""


def render(material: Material, script: str | None) -> str:
    """The whole file. `script` draws the plots (see `bundle.script`); without it the page has none and says how to get them."""
    rows = sheet(material.rows, material.columns)
    chart = choose(rows, material.axes)
    style = _resource("page.css")
    program = '"use strict";(() => {\n' + "\n".join(map(_resource, PROGRAM)) + "\n})();"
    body = joined(
        _header(material),
        tag(
            "main",
            _section("Overview", sections.overview(material)),
            _section("Plot", _plot(material, rows, chart, drawn=script is not None)),
            _section("Sessions", _sessions(material)),
            _section("Timeline", _timeline(material) if script is not None else _no_plots()),
            _section("Failures", sections.failures(material)),
            _section("Provenance", sections.provenance(material)),
            id="main",
        ),
        data_block("data-sheet", rows.to_json()),
        data_block("data-page", _page_data(material, rows, chart)),
    )
    scripts = [program] if script is None else [script, program]
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = joined(
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        tag("title", f"{material.name} · runner"),
        Markup(f"<style>{style}{_status_colours()}</style>"),
    )
    tail = "".join(f"<script>{text}</script>" for text in scripts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}\n{tail}</body></html>\n'


def _header(material: Material) -> Markup:
    links = [tag("a", name, href=f"#{name.lower()}") for name in SECTIONS]
    note = " while apply runs" if material.live else ""
    return joined(
        tag("a", "Skip to the results", href="#main", class_="skip"),
        tag(
            "header",
            tag(
                "div",
                tag("h1", material.name),
                tag("button", "Theme: system", id="theme", type="button", aria_live="polite"),
                class_="title",
            ),
            tag("p", f"{counted(material.total, 'session')}, as they stood{note} on {sections.when(material.made)}"),
            sections.heading(material),
        ),
        tag("nav", *links, aria_label="Sections"),
    )


def _section(name: str, content: Markup) -> Markup:
    key = name.lower()
    return tag("section", tag("h2", name, id=f"{key}-title"), content, id=key, aria_labelledby=f"{key}-title")


def _no_plots() -> Markup:
    return tag("p", "This report has no plots. To add them, run ", tag("code", bundle.INSTALL), " and write it again.")


def _plot(material: Material, rows: Sheet, chart: Chart, *, drawn: bool) -> Markup:
    if chart.kind == "none":
        return tag("p", "No variable varies: there is nothing to plot over.")
    metrics = [field for field in rows.of_kind("metric", "measured") if field.numeric]
    if not metrics:
        return tag("p", "No session has a metric that is a number yet.")
    options = [tag("option", _named(field), value=field.key) for field in metrics]
    together = [one.label for one in chart.together]
    explained = EXPLAINED[chart.kind] + (SPREAD.get(chart.kind, "") if chart.spread else "")
    if chart.kind == "parallel" and chart.combinations > MOST_LINES:
        explained += f" Some {MOST_LINES:,} of {chart.combinations:,} combinations are drawn."
    if together:
        explained += f" Taken together: {', '.join(together)}."
    groups = group(material.rows, [_column(material, one.field.label) for one in chart.over], material.columns.numbers)
    values = sections.numbers(chart, groups, material.columns.numbers, material.command("results"))
    if not drawn:
        return joined(_no_plots(), values)
    return joined(
        tag("p", tag("label", "Metric ", tag("select", *options, id="metric")), class_="controls"),
        tag(
            "figure",
            tag("div", id="chart", class_="chart", data_kind=chart.kind),
            tag("figcaption", explained, " ", tag("span", id="chart-note")),
        ),
        values,
    )


def _named(field: Field) -> str:
    return f"{field.label} ({ABOUT[field.label]})" if field.kind == "measured" else field.label


def _column(material: Material, label: str) -> Any:
    return material.columns.find(f"params.{label}" if label in material.columns.variables else label)


def _sessions(material: Material) -> Markup:
    cut = (
        tag(
            "p",
            f"These are the first {len(material.rows):,} of {material.total:,} sessions; ",
            tag("code", f"{material.command('results')} --format csv"),
            " has all of them.",
        )
        if len(material.rows) < material.total
        else ""
    )
    search = tag("input", id="search", type="search", placeholder="any column", autocomplete="off")
    return joined(
        cut,
        tag(
            "div",
            tag("label", "Search ", search),
            tag("button", "Clear filters", id="clear", type="button"),
            tag("output", id="shown", aria_live="polite"),
            class_="controls",
        ),
        tag(
            "p",
            "A filter takes part of a text, or ",
            *(tag("code", "<3"), ", ", tag("code", ">=0.5"), ", ", tag("code", "=10"), ", ", tag("code", "!=10"), ", "),
            *(
                tag("code", "1..5"),
                ", ",
                tag("code", "..5"),
                "; times and memory may have units: ",
                tag("code", ">1.5s"),
            ),
            ". A click on a heading sorts, another one turns the order round; what is missing comes last.",
            class_="hint",
            id="filter-hint",
        ),
        tag(
            "div",
            tag("table", tag("caption", "Sessions", class_="quiet"), tag("thead"), tag("tbody"), id="table"),
            class_="wide",
            tabindex="0",
            role="region",
            aria_label="Sessions",
        ),
        tag("div", id="pages", class_="controls"),
        tag("noscript", tag("p", "The table and the plots need JavaScript; everything else on this page does not.")),
    )


def _timeline(material: Material) -> Markup:
    if not material.attempts:
        return tag("p", "Nothing has begun to run yet.")
    numbers = sorted({attempt.apply for attempt in material.attempts})
    whose = f"apply {numbers[0]}" if len(numbers) == 1 else f"{len(numbers):,} applies whose states were merged"
    cut = f" Only the first {MOST_BARS:,} attempts are drawn." if len(material.attempts) == MOST_BARS else ""
    text = (
        f"{counted(len(material.attempts), 'attempt')} of {whose}, each in the lowest slot that was free, and below "
        f"them the share of the capacity in use: drag over it to look at a span closely, click to see all again.{cut}"
    )
    return tag(
        "figure",
        tag("div", id="gantt", class_="chart"),
        tag("figcaption", text),
    )


def _page_data(material: Material, rows: Sheet, chart: Chart) -> dict[str, Any]:
    metrics = rows.of_kind("metric", "measured")
    names = {row.id: variables(row.params, row.repeat) for row in material.rows}
    found = {field.key: vega_lite.spec(chart, field) for field in metrics}
    return {
        "logs": material.command("logs"),
        "signs": dict(SIGN),
        "plots": {key: one for key, one in found.items() if one is not None},
        "timeline": _timeline_spec(material, names),
        "causes": [[failure.session for failure in one.cause.failures] for one in material.causes],
    }


def _timeline_spec(material: Material, names: Mapping[str, str]) -> dict[str, Any] | None:
    if not material.attempts:
        return None
    numbers = {attempt.apply for attempt in material.attempts}
    applies = [apply for apply in material.applies if apply.number in numbers]
    bars = timeline.bars(material.attempts, material.made, material.live)
    used = timeline.use(bars, applies, material.resources)
    return gantt.spec(bars, used, min(bar.start for bar in bars), names)


def _status_colours() -> str:
    return "".join(f'[data-status="{name}"]{{--status:{colour}}}' for name, colour in COLOUR.items())


def _resource(name: str) -> str:
    return resources.files("runner.reporters.html").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
