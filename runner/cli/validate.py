"""`runner validate`: every problem of a file, at its place."""

from __future__ import annotations

import json

import click

from runner.capacity import Capacity
from runner.checks import check_fits
from runner.cli.options import load_sweep, override, sweep_argument
from runner.cli.streams import machine_readable, say
from runner.diagnostics import InvalidSweep, to_json
from runner.sweep import Sweep
from runner.units import counted


@click.command("validate")
@sweep_argument
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(file: str, form: str) -> int:
    """Check a sweep file and print every problem in it, each at its place; exit 2 if there is an error.

    Resources are compared with a `capacity` written in the file, never with this machine.
    """
    if form == "json":
        machine_readable()
    try:
        sweep = override(load_sweep(file))
        misfits = list(check_fits(sweep, Capacity(sweep.capacity, sweep.max_parallel).fits_ever, FILE_HINT))
        if misfits:
            raise InvalidSweep(sweep.source, misfits)
    except InvalidSweep as error:
        if form == "text":
            raise
        click.echo(json.dumps(to_json(error.source, error.problems), ensure_ascii=False, indent=2))
        return error.exit_code
    if form == "json":
        click.echo(json.dumps(to_json(sweep.source, sweep.warnings), ensure_ascii=False, indent=2))
    else:
        say(summary(sweep))
    return 0


FILE_HINT = "raise `capacity`, or ask for less"


def summary(sweep: Sweep) -> str:
    sessions = sweep.space.count
    if sweep.sample is not None:
        sessions = min(sessions, sweep.sample.size)
    sessions *= sweep.repeat
    return f"{sweep.source.name}: valid, {counted(sessions, 'session')}"
