"""The page: one file with everything in it, and a policy under which it loads and runs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from runner.reporters.html import bundle, sections, timeline
from runner.reporters.html.chart_choice import Chart, choose
from runner.reporters.html.chart_specs import MOST_LINES, chart_spec
from runner.reporters.html.dataset import ABOUT, Field
from runner.reporters.html.markup import Markup, data_block, escaped, joined, tag
from runner.reporters.html.report import MOST_BARS, ReportData
from runner.reporters.html.theme import COLOUR, SYMBOL
from runner.units import counted

SECTIONS = ("Overview", "Plot", "Sessions", "Timeline", "Failures", "Provenance")

PROGRAM = ("values.js", "table.js", "plots.js")
"""Parts of one script; each uses names that those before it define."""

CAPTIONS: Mapping[str, str] = {
    "line": "The line connects the means; each faint point is a session.",
    "lines": "Each line connects the means; each faint point is a session.",
    "heatmap": "Each cell is the mean of its sessions; the sessions of a grey cell have no number.",
    "scatter": "Each point is the mean of its sessions.",
    "bars": "Each bar is the mean, each point a session.",
    "grouped-bars": "Each bar is the mean, each point a session.",
    "parallel": "Each line is one combination; the last axis and the colour are the mean of its sessions.",
    "strip": "Each point is a session, the dashed line their mean.",
}

SPREAD: Mapping[str, str] = {
    "line": " The band is one standard deviation to each side.",
    "lines": " The band is one standard deviation to each side.",
    "bars": " The whisker is one standard deviation to each side.",
    "grouped-bars": " The whisker is one standard deviation to each side.",
}
"""Added to the caption where some group has several numbers."""


def render(report: ReportData, script: str | None) -> str:
    """The whole file. `script` draws the plots (see `bundle.script`); without it, the page says how to get them."""
    chart = choose(report.dataset, report.axes)
    style = _resource("page.css")
    program = '"use strict";(() => {\n' + "\n".join(map(_resource, PROGRAM)) + "\n})();"
    body = joined(
        _header(report),
        tag(
            "main",
            _section("Overview", sections.overview(report)),
            _section("Plot", _plot(report, chart, drawn=script is not None)),
            _section("Sessions", _sessions(report)),
            _section("Timeline", _timeline(report) if script is not None else _no_plots()),
            _section("Failures", sections.failures(report)),
            _section("Provenance", sections.provenance(report)),
            id="main",
        ),
        data_block("data-sessions", report.dataset.to_json()),
        data_block("data-page", _page_data(report, chart)),
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
        tag("title", f"{report.name} · runner"),
        Markup(f"<style>{style}{_status_colours()}</style>"),
    )
    tail = "".join(f"<script>{text}</script>" for text in scripts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>{body}\n{tail}</body></html>\n'


def _header(report: ReportData) -> Markup:
    links = [tag("a", name, href=f"#{name.lower()}") for name in SECTIONS]
    note = ", while an apply was running" if report.live else ""
    return joined(
        tag("a", "Skip to the results", href="#main", class_="skip"),
        tag(
            "header",
            tag(
                "div",
                tag("h1", report.name),
                tag("button", "Theme: system", id="theme", type="button", aria_live="polite"),
                class_="title",
            ),
            tag("p", f"{counted(report.total, 'session')} on {sections.when(report.made)}{note}"),
            sections.status_bar(report),
        ),
        tag("nav", *links, aria_label="Sections"),
    )


def _section(name: str, content: Markup) -> Markup:
    key = name.lower()
    return tag("section", tag("h2", name, id=f"{key}-title"), content, id=key, aria_labelledby=f"{key}-title")


def _no_plots() -> Markup:
    return tag(
        "p", "This report has no plots. To add them, run ", tag("code", bundle.INSTALL), " and write the report again."
    )


def _plot(report: ReportData, chart: Chart, *, drawn: bool) -> Markup:
    if chart.kind == "none":
        return tag("p", "No variable has more than one value, so there is nothing to plot.")
    metrics = [field for field in report.dataset.of_kind("metric", "measured") if field.numeric]
    if not metrics:
        return tag("p", "No session has a metric with a number yet.")
    options = [tag("option", _named(field), value=field.key) for field in metrics]
    caption = CAPTIONS[chart.kind] + (SPREAD.get(chart.kind, "") if chart.spread else "")
    if chart.kind == "parallel" and chart.combinations > MOST_LINES:
        caption += f" About {MOST_LINES:,} of {chart.combinations:,} combinations are drawn."
    if chart.aggregated:
        caption += f" Aggregated over {', '.join(one.label for one in chart.aggregated)}."
    values = sections.plot_table(chart, report.dataset, report.command("results"))
    if not drawn:
        return joined(_no_plots(), values)
    return joined(
        tag("p", tag("label", "Metric ", tag("select", *options, id="metric")), class_="controls"),
        tag(
            "figure",
            tag("div", id="chart", class_="chart", data_kind=chart.kind),
            tag("figcaption", caption, " ", tag("span", id="chart-note")),
        ),
        values,
    )


def _named(field: Field) -> str:
    return f"{field.label} ({ABOUT[field.label]})" if field.kind == "measured" else field.label


def _sessions(report: ReportData) -> Markup:
    cut = (
        tag(
            "p",
            f"The first {report.dataset.size:,} of {report.total:,} sessions. ",
            tag("code", f"{report.command('results')} --format csv"),
            " prints all of them.",
        )
        if report.dataset.size < report.total
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
            "A filter is a part of the text, or ",
            *(tag("code", "<3"), ", ", tag("code", ">=0.5"), ", ", tag("code", "=10"), ", ", tag("code", "!=10"), ", "),
            *(
                tag("code", "1..5"),
                ", ",
                tag("code", "..5"),
                "; times and memory can have units: ",
                tag("code", ">1.5s"),
            ),
            ". Click a heading to sort, and again to reverse the order; missing values come last.",
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
        tag("noscript", tag("p", "Only the table and the plots need JavaScript.")),
    )


def _timeline(report: ReportData) -> Markup:
    if not report.attempts:
        return tag("p", "Nothing has started to run yet.")
    numbers = sorted({attempt.apply for attempt in report.attempts})
    source = f"apply {numbers[0]}" if len(numbers) == 1 else f"{len(numbers):,} applies of merged states"
    cut = f" Only the first {MOST_BARS:,} attempts are drawn." if len(report.attempts) == MOST_BARS else ""
    text = (
        f"{counted(len(report.attempts), 'attempt')} of {source}. Attempts in one slot ran one after another. Below: the "
        f"share of the capacity in use. Drag over it to zoom in, click it to zoom out.{cut}"
    )
    return tag(
        "figure",
        tag("div", id="gantt", class_="chart"),
        tag("figcaption", text),
    )


def _page_data(report: ReportData, chart: Chart) -> dict[str, Any]:
    specs = {field.key: chart_spec(chart, field) for field in report.dataset.of_kind("metric", "measured")}
    return {
        "logs": report.command("logs"),
        "symbols": dict(SYMBOL),
        "plots": {key: spec for key, spec in specs.items() if spec is not None},
        "timeline": _timeline_data(report),
        "causes": [[failure.session for failure in one.cause.failures] for one in report.causes],
    }


def _timeline_data(report: ReportData) -> dict[str, Any] | None:
    if not report.attempts:
        return None
    numbers = {attempt.apply for attempt in report.attempts}
    applies = [apply for apply in report.applies if apply.number in numbers]
    bars = timeline.bars(report.attempts, report.made, report.live)
    used = timeline.use(bars, applies, report.resources)
    return {"spec": timeline.timeline_spec(bars, used), **timeline.timeline_data(bars, used, report.rows)}


def _status_colours() -> str:
    return "".join(f'[data-status="{name}"]{{--status:{colour}}}' for name, colour in COLOUR.items())


def _resource(name: str) -> str:
    return resources.files("runner.reporters.html").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
