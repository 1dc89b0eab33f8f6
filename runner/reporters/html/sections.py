"""The sections of the page that are plain HTML: overview, failures, provenance, and the table below the plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.events import iso
from runner.model import Outcome
from runner.reporters.html.chart_choice import Chart
from runner.reporters.html.dataset import ABOUT, Dataset, Field
from runner.reporters.html.markup import Markup, joined, table, tag
from runner.reporters.html.report import CauseDetails, ReportData
from runner.reporters.html.theme import SYMBOL
from runner.results.aggregate import Summary
from runner.results.columns import apart, in_quantity, number
from runner.results.failures import SILENT, flat, headline
from runner.state.rows import together
from runner.units import counted, format_duration, format_memory

MOST_GROUPS = 200
"""Rows of the table below the plot; with more groups, it shows a command instead."""

MOST_APPLIES = 20
MOST_NAMES = 50
"""Sessions that are listed under a cause; the table shows all of them."""


def status(name: str) -> Markup:
    """A status with its symbol."""
    return tag("span", tag("span", SYMBOL[name], aria_hidden="true"), " ", name, class_="status", data_status=name)


def status_bar(report: ReportData) -> Markup:
    """A bar of the sessions by status, and its legend."""
    counts = [(name, report.counts[name]) for name in SYMBOL if report.counts.get(name)]
    parts = [
        tag("span", "", class_="part", data_status=name, style=f"flex-grow:{count}", title=f"{count:,} {name}")
        for name, count in counts
    ]
    legend = [tag("li", status(name), " ", tag("b", f"{count:,}")) for name, count in counts]
    return joined(
        tag("div", *parts, class_="bar", aria_hidden="true") if counts else "",
        tag("ul", *legend, class_="legend"),
    )


def overview(report: ReportData) -> Markup:
    """Tiles, then a table of all metrics."""
    measured = {field.label: report.dataset.summary(field) for field in report.dataset.of_kind("measured")}
    cpu, memory = measured["cpu_time"], measured["max_rss"]
    tiles = [
        (
            "session" if report.total == 1 else "sessions",
            f"{report.total:,}",
            f"{report.counts.get(Outcome.SUCCEEDED.value, 0):,} succeeded",
        ),
        _failures_tile(report.causes),
        _last_tile(report),
        ("CPU time", format_duration(sum(cpu.numbers)) if cpu.numbers else "-", "cpu_time of every last attempt"),
        (
            "peak memory",
            format_memory(round(max(memory.numbers))) if memory.numbers else "-",
            "max_rss of the largest session",
        ),
    ]
    notes = [tag("p", line) for line in report.missing.lines()]
    shown = [
        tag("div", tag("dt", name), tag("dd", tag("b", big), tag("small", small)), class_="tile")
        for name, big, small in tiles
    ]
    return joined(tag("dl", *shown, class_="tiles"), _metrics(report.dataset), *notes)


def _last_tile(report: ReportData) -> tuple[str, str, str]:
    """How long the last apply took; of several, how long any of them ran."""
    if not report.last:
        return "last apply", "-", "never"
    seconds = together(report.last, report.made if report.live else None)
    took = "-" if seconds is None else format_duration(seconds)
    if len(report.last) > 1:
        return "last applies", took, f"{len(report.last):,} of merged states"
    (apply,) = report.last
    if report.live:
        return "last apply", took, "still running" if apply.ended is None else when(apply.started)
    return "last apply", took, when(apply.started) if seconds is not None else "died before its end"


def _failures_tile(causes: Sequence[CauseDetails]) -> tuple[str, str, str]:
    total = sum(len(one.cause.failures) for one in causes)
    name = "failure" if total == 1 else "failures"
    return name, f"{total:,}", counted(len(causes), "cause") if causes else "nothing failed"


def _metrics(dataset: Dataset) -> Markup:
    rows: list[list[Any]] = []
    for field in dataset.of_kind("metric", "measured"):
        summary = dataset.summary(field)
        low, high = min(summary.numbers, default=None), max(summary.numbers, default=None)
        shown = [_amount(amount, field) for amount in (summary.mean, summary.std, low, high)]
        about = tag("small", f" {ABOUT[field.label]}") if field.kind == "measured" else ""
        rows.append([joined(tag("code", field.label), about), *shown, len(summary.numbers), _not_numbers(summary)])
    header = ["metric", "mean", "standard deviation", "minimum", "maximum", "count", "missing or not a number"]
    return table(header, rows, "Metrics over all sessions")


def _not_numbers(summary: Summary) -> str:
    parts = [f"{summary.missing:,} missing"] if summary.missing else []
    if summary.texts:
        parts.append(f"{len(summary.texts):,} not a number, such as `{summary.texts[0][:40]}`")
    return ", ".join(parts) or "none"


def _amount(amount: float | None, field: Field) -> str:
    return "-" if amount is None else in_quantity(amount, field.quantity or "rounded")


def plot_table(chart: Chart, dataset: Dataset, results: str) -> Markup:
    """The values that the plot shows, as a table; `results` is the command that prints them where they are too many."""
    names = [one.label for one in chart.over]
    if not names:
        return Markup("")
    if chart.combinations > MOST_GROUPS:
        command = f"{results} --group-by {','.join(one.field.label for one in chart.over)} --agg mean,std,count"
        return tag(
            "p", f"The plot shows {chart.combinations:,} combinations. To print their values: ", tag("code", command)
        )
    metrics = dataset.of_kind("metric", "measured")
    groups = [
        ([one.field.values[code] for one, code in zip(chart.over, codes, strict=True)], rows)
        for codes, rows in chart.groups.items()
    ]
    groups.sort(key=lambda group: [(number(value) is None, number(value) or 0.0) for value in group[0]])
    body = table(
        [*names, *(field.label for field in metrics), "sessions"],
        [
            [
                *(apart(value.text) for value in values),
                *(_mean_and_deviation(dataset.summary(field, rows), field) for field in metrics),
                len(rows),
            ]
            for values, rows in groups
        ],
        "Mean ± standard deviation of each metric",
    )
    return tag("details", tag("summary", "Values of the plot"), body)


def _mean_and_deviation(summary: Summary, field: Field) -> str:
    if summary.mean is None:
        return _not_numbers(summary)
    shown = _amount(summary.mean, field) + (f" ± {_amount(summary.std, field)}" if summary.std is not None else "")
    return shown if len(summary.numbers) == summary.size else f"{shown} ({_not_numbers(summary)})"


def failures(report: ReportData) -> Markup:
    """A card for each cause: its count, an example's last lines, the command for its log, and its sessions."""
    causes = report.causes
    if not causes:
        return tag("p", "Nothing failed.")
    cards = [_card(at, one, report) for at, one in enumerate(causes)]
    return joined(
        tag(
            "p",
            f"{headline(one.cause for one in causes)}. Failures with the same outcome, exit code and last line of the log, ",
            "apart from numbers, have one cause.",
        ),
        *cards,
    )


def _card(at: int, details: CauseDetails, report: ReportData) -> Markup:
    cause = details.cause
    title = tag(
        "h3",
        tag("span", f"{len(cause.failures):,}×", class_="times"),
        " ",
        status(cause.outcome.value),
        cause.how.removeprefix(cause.outcome.value),
    )
    names = [tag("li", tag("code", name)) for name in details.names[:MOST_NAMES]]
    more = (
        tag("p", f"and {len(details.names) - MOST_NAMES:,} more, in the table")
        if len(details.names) > MOST_NAMES
        else ""
    )
    streams = [tail.stream for tail in details.tails] or ["stderr"]
    options = ["" if stream == "stdout" else " --stderr" for stream in streams]
    return tag(
        "article",
        title,
        tag("p", cause.text, class_="cause") if cause.text else "",
        tag("p", f"Example: attempt {cause.example.attempt} of ", tag("code", details.names[0])),
        _tail(details),
        *(
            tag("p", tag("code", f"{report.command('logs')} {cause.example.session}{option}", class_="command"))
            for option in options
        ),
        tag("button", f"Show {counted(len(cause.failures), 'session')} in the table", type="button", data_cause=at),
        tag("details", tag("summary", counted(len(details.names), "session")), tag("ul", *names), more),
    )


def _tail(details: CauseDetails) -> Markup:
    text = flat(details.tails)
    if text == [details.cause.text] or details.cause.text == SILENT:
        return Markup("")
    if not text:
        return tag("p", "Its log is empty.")
    return tag("pre", "\n".join(text), tabindex="0", role="region", aria_label="last lines of its log")


def provenance(report: ReportData) -> Markup:
    """Where the results come from: every apply, the input files, the sweep file."""
    if not report.applies:
        return joined(tag("p", "Nothing has been applied yet."), _file(report))
    last = report.applies[0]
    commit = f"{last.commit}{' with uncommitted changes' if last.dirty else ''}" if last.commit else "unknown"
    facts: list[tuple[str, Any]] = [
        ("commit", tag("code", commit)),
        ("host", last.host),
        ("user", last.user),
        ("backend", last.backend),
        ("capacity", _capacity(report)),
        ("runner", last.version),
        ("this report", f"written {when(report.made)} by runner {report.version}"),
        ("recipe (digest of command, environment and files)", tag("code", last.recipe.digest)),
    ]
    files = last.recipe.parts.get("files", {})
    rows = [
        [
            apply.number,
            when(apply.started),
            "-" if apply.ended is None else format_duration(apply.ended - apply.started),
            apply.host,
            tag("code", (apply.commit or "-")[:12], " + changes" if apply.dirty else ""),
            apply.version,
            ", ".join(f"{count:,} {outcome}" for outcome in Outcome if (count := apply.outcomes.get(outcome))) or "-",
            apply.interrupted or apply.stopped or ("" if apply.ended else "did not end"),
        ]
        for apply in report.applies[:MOST_APPLIES]
    ]
    header = ["apply", "started", "duration", "host", "commit", "runner", "outcomes", "note"]
    return joined(
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts"),
        table(header, rows, _applies(len(rows), len(report.applies))),
        table(
            ["file", "SHA-256"],
            [[tag("code", path), tag("code", digest)] for path, digest in files.items()],
            "Input files",
        )
        if files
        else "",
        _file(report),
    )


def _applies(shown: int, total: int) -> str:
    return "Every apply, the newest first" if shown == total else f"The last {shown:,} of {total:,} applies"


def _capacity(report: ReportData) -> str:
    last = report.applies[0]
    parts = [
        f"{name} {format_memory(int(amount)) if name == 'mem' else f'{float(amount):g}'}"
        for name, amount in last.capacity.items()
        if amount
    ]
    if last.max_parallel is not None:
        parts.append(f"at most {last.max_parallel} at once")
    return ", ".join(parts) or "unlimited"


def _file(report: ReportData) -> Markup:
    title = f"The sweep file{' as it was last applied' if report.applies else ''}"
    return tag("details", tag("summary", title), tag("pre", report.text, tabindex="0", aria_label=title), open="")


def when(at: float) -> str:
    return iso(at)[:19].replace("T", " ") + " UTC"
