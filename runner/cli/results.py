"""`runner results`: one row for each session, or aggregates of their metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from runner.apply.selection import Choice
from runner.cli.console import machine_readable, say
from runner.cli.junit_option import junit_option, require_writable, write_junit
from runner.cli.options import select_option, state_option, sweep_argument
from runner.cli.sweeps import load_sweep, plan_sweep
from runner.diagnostics import nearest
from runner.errors import InvalidInput
from runner.model import Outcome
from runner.results import tables
from runner.results.aggregate import AGGREGATES, for_people, group, group_columns, groups_json, parse_aggregates
from runner.results.collected import MissingMetrics
from runner.results.columns import Column, Columns, Row, T, find
from runner.results.filters import in_order, parse_condition, parse_order
from runner.results.pivot import pivot
from runner.results.rows import csv_rows, result_rows
from runner.state import open_for_reading

DEFAULT_AGGREGATES = "mean,std"


@click.command("results")
@sweep_argument
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "md"]), default="table", show_default=True)
@select_option
@click.option(
    "--where",
    metavar="CONDITION",
    multiple=True,
    help="Only rows with `loss<0.3`, `status!=failed`, `duration>1m`, `loss=` (missing). If repeated, all must hold.",
)
@click.option(
    "--sort", metavar="COLUMN,…", multiple=True, help="Sort by these columns, `-loss` descending; missing values last."
)
@click.option(
    "--group-by",
    metavar="COLUMN,…",
    multiple=True,
    help="One row for each value, with aggregates of the metrics.",
)
@click.option(
    "--agg",
    metavar="NAME,…",
    help=f"Aggregates of `--group-by` and `--pivot`: {', '.join(AGGREGATES)}.  [default: {DEFAULT_AGGREGATES}; mean]",
)
@click.option("--pivot", "over", nargs=3, metavar="ROW COL METRIC", help="A table of a metric over two columns.")
@junit_option
@state_option
def command(
    file: str,
    form: Literal["table", "csv", "json", "md"],
    select: tuple[str, ...],
    where: tuple[str, ...],
    sort: tuple[str, ...],
    group_by: tuple[str, ...],
    agg: str | None,
    over: tuple[str, str, str] | None,
    junit: Path | None,
    state: Path | None,
) -> None:
    """Print the variables, the status, the resources used and the metrics of each session.

    Sessions that have not run yet are `new`. With `--group-by` or `--pivot`, metrics are aggregated over repeats, seeds
    and every other variable that is not named.

    CSV and JSON have exact values: times in UTC, durations and CPU times in seconds, max_rss in bytes. The other formats
    round to 6 significant digits.
    """
    if group_by and over:
        raise InvalidInput("`--group-by` and `--pivot` cannot be combined")
    if agg and not (group_by or over):
        raise InvalidInput("`--agg` needs `--group-by` or `--pivot`", "such as `--group-by lr --agg mean`")
    if form in ("json", "csv"):
        machine_readable(form)
    planned = plan_sweep(load_sweep(file))
    selection = planned.selection(select)
    columns = Columns(planned.sweep.space.names, planned.sweep.repeat > 1, tuple(planned.sweep.metrics))
    require_writable(junit)
    conditions = [parse_condition(text, columns.find) for text in where]
    with open_for_reading(planned.sweep.folder, planned.sweep.name, state) as opened:
        if junit:
            write_junit(junit, planned, Choice(select=selection), opened)
        missing = MissingMetrics()
        if form == "csv" and not (selection or conditions or sort or over or group_by):
            lines = csv_rows(planned.plan.points(), opened, planned.sweep.metrics, missing)
            tables.comma_separated([column.name for column in columns.every], lines, sys.stdout)
        else:
            every = result_rows(planned.plan.points(selection), opened, planned.sweep.metrics)
            if selection is not None:
                every = _require_some(every, planned.nothing_selected(selection))
            rows = (row for row in every if all(condition(row) for condition in conditions)) if conditions else every
            rows = _report_empty(_count_missing(rows, missing))
            if over:
                _pivot(rows, columns, over, agg, sort, form)
            elif group_by:
                _groups(rows, columns, group_by, agg, sort, form)
            else:
                _sessions(rows, columns, sort, form)
        for line in missing.lines():
            say(line)


def _count_missing(rows: Iterator[Row], missing: MissingMetrics) -> Iterator[Row]:
    """Return the rows. What succeeded sessions lack is added to `missing`."""
    for row in rows:
        if row.status == Outcome.SUCCEEDED:
            missing.add(row.metrics)
        yield row


def _sessions(rows: Iterator[Row], columns: Columns, sort: Sequence[str], form: str) -> None:
    order = parse_order(sort, columns.find)
    ordered: Iterable[Row] = in_order(list(rows), order) if order else rows
    if form == "json":
        _array(row.to_json() for row in ordered)
    else:
        _write(ordered, columns.every if form == "csv" else columns.short, form)


def _groups(
    rows: Iterator[Row], columns: Columns, names: Sequence[str], agg: str | None, sort: Sequence[str], form: str
) -> None:
    by = [columns.find(name.strip()) for text in names for name in text.split(",")]
    aggregates = parse_aggregates(agg or DEFAULT_AGGREGATES)
    groups = group(rows, by, columns.numbers)
    shown = group_columns(groups, by, columns.numbers, aggregates)
    metrics = {column.name for column in columns.numbers}

    def named(name: str) -> Column[Any]:
        """`loss.mean`; `loss` is its first aggregate."""
        return find(f"{name}.{aggregates[0]}" if name in metrics else name, shown)

    groups = in_order(groups, parse_order(sort, named))
    if form == "json":
        _document(groups_json(groups, by, columns.numbers, aggregates))
    else:
        some = columns.metrics and form != "csv"
        _write(groups, for_people(shown, aggregates) if some else shown, form)


def _pivot(
    rows: Iterator[Row],
    columns: Columns,
    over: tuple[str, str, str],
    agg: str | None,
    sort: Sequence[str],
    form: str,
) -> None:
    aggregates = parse_aggregates(agg or "mean")
    if len(aggregates) > 1:
        raise InvalidInput("`--pivot` shows one aggregate", "write `--agg mean`, or use `--group-by`")
    row, column = map(columns.find, over[:2])
    metric = next((one for one in columns.numbers if over[2] in (one.name, f"metrics.{one.name}")), None)
    if metric is None:
        names = [one.name for one in columns.numbers]
        near = nearest(over[2], names)
        hint = f"did you mean `{near}`?" if near else f"choose from {', '.join(f'`{name}`' for name in names)}"
        raise InvalidInput(f"`{over[2]}` is not a metric", hint)
    made = pivot(rows, row, column, metric, aggregates[0])
    shown = made.columns()
    lines = in_order(list(made.lines), parse_order(sort, lambda name: find(name, shown)))
    made.lines = {line: made.lines[line] for line in lines}
    if form == "json":
        _document(made.to_json())
    else:
        _write(lines, shown, form)


def _write(rows: Iterable[T], columns: Sequence[Column[T]], form: str) -> None:
    if form == "csv":
        lines = ([column.of(row).text for column in columns] for row in rows)
        tables.comma_separated([column.name for column in columns], lines, sys.stdout)
    else:
        {"md": tables.markdown, "table": tables.table}[form](rows, columns, sys.stdout)


def _report_empty(rows: Iterator[Row]) -> Iterator[Row]:
    """Return the rows. If there are none, say so on stderr."""
    first = next(rows, None)
    if first is None:
        say("no row matches")
        return iter(())
    return _chain(first, rows)


def _require_some(rows: Iterator[Row], error: InvalidInput) -> Iterator[Row]:
    """Return the rows. Raises the error if there are none."""
    first = next(rows, None)
    if first is None:
        raise error
    return _chain(first, rows)


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _document(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def _array(rows: Iterable[Any]) -> None:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    separator = "[\n  "
    for row in rows:
        sys.stdout.write(separator + encode(row))
        separator = ",\n  "
    sys.stdout.write("\n]\n" if separator.startswith(",") else "[]\n")
