"""`runner results`: one row for each session, in plan order."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from runner import results, tables
from runner.cli.junit import junit_option, require_writable, write_junit
from runner.cli.options import given, load_sweep, select_option, state_option, sweep_argument
from runner.cli.streams import machine_readable
from runner.errors import InvalidInput
from runner.history import Choice
from runner.state import open_for_reading


@click.command("results")
@sweep_argument
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "md"]), default="table", show_default=True)
@junit_option
@select_option
@state_option
def command(file: str, form: str, junit: Path | None, select: tuple[str, ...], state: Path | None) -> None:
    """Print what became of each session: its variables, outcome, resources used and metrics.

    Sessions that have not run yet are there, too, as `new`.
    """
    if form in ("json", "csv"):
        machine_readable()
    this = given(load_sweep(file))
    selection = this.selection(select)
    require_writable(junit)
    with open_for_reading(this.sweep.folder, this.sweep.name, state) as opened:
        found = results.results(this.plan.sessions(selection), opened)
        rows = ((result.session, results.to_row(result, opened)) for result in found)
        if junit:
            write_junit(junit, this, Choice(select=selection), opened)
        first = next(rows, None)
        if first is None and selection is not None:
            raise InvalidInput("no session has the selected values")
        pairs = [] if first is None else _chain(first, rows)
        columns = tables.Columns(this.sweep.space.names, this.sweep.repeat > 1, tuple(this.sweep.metrics))
        if form == "json":
            _array(row for _, row in pairs)
        elif form == "csv":
            tables.comma_separated(pairs, columns, sys.stdout)
        elif form == "md":
            tables.markdown(pairs, columns, sys.stdout)
        else:
            tables.table(list(pairs), columns, sys.stdout)


def _chain(first: Any, rest: Any) -> Any:
    yield first
    yield from rest


def _array(rows: Any) -> None:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    separator = "[\n  "
    for row in rows:
        sys.stdout.write(separator + encode(row))
        separator = ",\n  "
    sys.stdout.write("\n]\n" if separator.startswith(",") else "[]\n")
