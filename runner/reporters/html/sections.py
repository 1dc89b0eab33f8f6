"""The parts of the page that are plain HTML: overview, failures, provenance, and the numbers behind the plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.events import iso
from runner.model import Outcome
from runner.reporters.html.chart_choice import Chart
from runner.reporters.html.data import Explained, Material
from runner.reporters.html.dataset import ABOUT
from runner.reporters.html.html import Markup, joined, table, tag
from runner.reporters.html.theme import SIGN
from runner.results.aggregate import Group, Summary
from runner.results.columns import Column, Row, apart, in_quantity, number
from runner.results.failures import SILENT, headline
from runner.state.rows import together
from runner.units import counted, format_duration, format_memory

MOST_GROUPS = 200
"""Lines of the table behind the plot; with more it says how to get them."""

MOST_APPLIES = 20
MOST_NAMES = 50
"""Sessions listed under a cause; the table has all of them."""


def status(name: str) -> Markup:
    """A status with its sign."""
    return tag("span", tag("span", SIGN[name], aria_hidden="true"), " ", name, class_="status", data_status=name)


def heading(material: Material) -> Markup:
    counts = [(name, material.counts[name]) for name in SIGN if material.counts.get(name)]
    parts = [
        tag("span", "", class_="part", data_status=name, style=f"flex-grow:{count}", title=f"{count:,} {name}")
        for name, count in counts
    ]
    legend = [tag("li", status(name), " ", tag("b", f"{count:,}")) for name, count in counts]
    return joined(
        tag("div", *parts, class_="bar", aria_hidden="true") if counts else "",
        tag("ul", *legend, class_="legend"),
    )


def overview(material: Material) -> Markup:
    """Tiles, then what each metric came to."""
    measured = {name: _summary(material, column) for name, column in _numbers(material)}
    cpu, memory = measured["cpu_time"], measured["max_rss"]
    tiles = [
        (
            "session" if material.total == 1 else "sessions",
            f"{material.total:,}",
            f"{material.counts.get(Outcome.SUCCEEDED.value, 0):,} succeeded",
        ),
        _failures_tile(material.causes),
        _last_tile(material),
        ("CPU time", format_duration(sum(cpu.numbers)) if cpu.numbers else "-", "cpu_time of all last attempts"),
        (
            "peak memory",
            format_memory(round(max(memory.numbers))) if memory.numbers else "-",
            "max_rss of the largest session",
        ),
    ]
    shown = [
        tag("div", tag("dt", name), tag("dd", tag("b", big), tag("small", small)), class_="tile")
        for name, big, small in tiles
    ]
    return joined(tag("dl", *shown, class_="tiles"), _metrics(material, measured))


def _last_tile(material: Material) -> tuple[str, str, str]:
    """How long the last apply took; of several, for how long any of them ran."""
    if not material.last:
        return "last apply", "-", "never"
    seconds = together(material.last, material.made if material.live else None)
    took = "-" if seconds is None else format_duration(seconds)
    if len(material.last) > 1:
        return "last applies", took, f"{len(material.last):,}, of states that were merged"
    (apply,) = material.last
    if material.live:
        return "last apply", took, "it still runs" if apply.ended is None else when(apply.started)
    return "last apply", took, when(apply.started) if seconds is not None else "died before its end"


def _failures_tile(causes: Sequence[Explained]) -> tuple[str, str, str]:
    total = sum(len(one.cause.failures) for one in causes)
    name = "failure" if total == 1 else "failures"
    return name, f"{total:,}", counted(len(causes), "cause") if causes else "nothing failed"


def _metrics(material: Material, summaries: dict[str, Summary]) -> Markup:
    rows: list[list[Any]] = []
    for name, column in _numbers(material):
        summary = summaries[name]
        low, high = min(summary.numbers, default=None), max(summary.numbers, default=None)
        shown = [_amount(amount, column) for amount in (summary.mean, summary.std, low, high)]
        about = tag("small", f" {ABOUT[name]}") if name in ABOUT else ""
        rows.append([joined(tag("code", name), about), *shown, len(summary.numbers), _without(summary)])
    header = ["metric", "mean", "standard deviation", "lowest", "highest", "numbers", "without a number"]
    return table(header, rows, "What each metric came to, over all sessions")


def _without(summary: Summary) -> str:
    parts = [f"{summary.missing:,} missing"] if summary.missing else []
    if summary.texts:
        parts.append(f"{len(summary.texts):,} no number, as `{summary.texts[0][:40]}`")
    return ", ".join(parts) or "none"


def _amount(amount: float | None, column: Column[Row]) -> str:
    return "-" if amount is None else in_quantity(amount, column.quantity or "rounded")


def _numbers(material: Material) -> list[tuple[str, Column[Row]]]:
    return [(column.name, column) for column in material.columns.numbers]


def _summary(material: Material, column: Column[Row]) -> Summary:
    summary = Summary()
    for row in material.rows:
        summary.add(column.of(row))
    return summary


def numbers(chart: Chart, groups: Sequence[Group], columns: Sequence[Column[Row]], results: str) -> Markup:
    """What the plot shows, as a table: for those who cannot see it, or want to know exactly.

    `results` is the command that prints results, for what a page has no room for.
    """
    names = [one.label for one in chart.over]
    if not names:
        return Markup("")
    if len(groups) > MOST_GROUPS:
        command = f"{results} --group-by {','.join(one.field.label for one in chart.over)} --agg mean,std,count"
        return tag("p", f"The plot stands for {len(groups):,} combinations; their numbers: ", tag("code", command))
    rows = [
        [
            *(apart(value.text) for value in group.by),
            *(_spread(group.metrics[column.name], column) for column in columns),
            group.sessions,
        ]
        for group in _ascending(groups)
    ]
    body = table(
        [*names, *(column.name for column in columns), "sessions"], rows, "Mean ± standard deviation of each metric"
    )
    return tag("details", tag("summary", "The numbers behind the plot"), body)


def _ascending(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: [(number(value) is None, number(value) or 0.0) for value in group.by])


def _spread(summary: Summary, column: Column[Row]) -> str:
    if summary.mean is None:
        return _without(summary)
    shown = _amount(summary.mean, column) + (f" ± {_amount(summary.std, column)}" if summary.std is not None else "")
    return shown if len(summary.numbers) == summary.size else f"{shown} ({_without(summary)})"


def failures(material: Material) -> Markup:
    """A card for each cause: how often, an example's last lines, the command for its log, and its sessions."""
    causes = material.causes
    if not causes:
        return tag("p", "Nothing failed.")
    cards = [_card(at, one, material) for at, one in enumerate(causes)]
    return joined(
        tag(
            "p",
            f"{headline(one.cause for one in causes)}. Failures count as one cause when they ended alike and the ",
            "last line that they wrote is the same, numbers aside.",
        ),
        *cards,
    )


def _card(at: int, one: Explained, material: Material) -> Markup:
    cause = one.cause
    title = tag(
        "h3",
        tag("span", f"{len(cause.failures):,}×", class_="times"),
        " ",
        status(cause.outcome.value),
        cause.how.removeprefix(cause.outcome.value),
    )
    names = [tag("li", tag("code", name)) for name in one.names[:MOST_NAMES]]
    more = tag("p", f"and {len(one.names) - MOST_NAMES:,} more, in the table") if len(one.names) > MOST_NAMES else ""
    option = " --stderr" if one.on_stderr else ""
    return tag(
        "article",
        title,
        tag("p", cause.text, class_="cause") if cause.text else "",
        tag("p", f"For example attempt {cause.example.attempt} of ", tag("code", one.names[0])),
        _tail(one),
        tag("p", tag("code", f"{material.command('logs')} {cause.example.session}{option}", class_="command")),
        tag("button", f"Show {counted(len(cause.failures), 'session')} in the table", type="button", data_cause=at),
        tag("details", tag("summary", counted(len(one.names), "session")), tag("ul", *names), more),
    )


def _tail(one: Explained) -> Markup:
    if list(one.tail) == [one.cause.text] or one.cause.text == SILENT:
        return Markup("")
    if not one.tail:
        return tag("p", "It wrote nothing.")
    return tag("pre", "\n".join(one.tail), tabindex="0", role="region", aria_label="last lines of its log")


def provenance(material: Material) -> Markup:
    """From what and where it ran: every apply, the inputs, the sweep file."""
    if not material.applies:
        return joined(tag("p", "Nothing has been applied yet."), _file(material))
    last = material.applies[0]
    commit = (
        f"{last.commit}{' with changes that are not committed' if last.dirty else ''}" if last.commit else "unknown"
    )
    facts: list[tuple[str, Any]] = [
        ("commit", tag("code", commit)),
        ("host", last.host),
        ("user", last.user),
        ("backend", last.backend),
        ("capacity", _capacity(material)),
        ("runner", last.version),
        ("this report", f"made {when(material.made)} by runner {material.maker}"),
        ("recipe", tag("code", last.recipe.digest)),
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
        for apply in material.applies[:MOST_APPLIES]
    ]
    header = ["apply", "started", "took", "host", "commit", "runner", "outcomes", "note"]
    return joined(
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts"),
        table(header, rows, _applies(len(rows), len(material.applies))),
        table(
            ["file", "SHA-256"], [[tag("code", path), tag("code", digest)] for path, digest in files.items()], "Inputs"
        )
        if files
        else "",
        _file(material),
    )


def _applies(shown: int, total: int) -> str:
    return "Every apply, the last one first" if shown == total else f"The last {shown:,} of {total:,} applies"


def _capacity(material: Material) -> str:
    last = material.applies[0]
    parts = [
        f"{name} {format_memory(int(amount)) if name == 'mem' else f'{float(amount):g}'}"
        for name, amount in last.capacity.items()
        if amount
    ]
    if last.max_parallel is not None:
        parts.append(f"at most {last.max_parallel} at once")
    return ", ".join(parts) or "unlimited"


def _file(material: Material) -> Markup:
    title = f"The sweep file{' as it was last applied' if material.applies else ''}"
    return tag("details", tag("summary", title), tag("pre", material.text, tabindex="0", aria_label=title), open="")


def when(at: float) -> str:
    return iso(at)[:19].replace("T", " ") + " UTC"
