"""`runner validate`: every problem of a file, at its place."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import click

from runner.cli.console import machine_readable, say
from runner.cli.main import annotate
from runner.cli.options import sweep_argument
from runner.cli.sweeps import load_sweep, override
from runner.config.checks import check_fits
from runner.config.shell_checks import check_shell_names
from runner.config.sweep import Sweep
from runner.diagnostics import InvalidSweep, Problem, Source, to_json
from runner.executor.capacity import Capacity
from runner.reporters.github import problem_annotations
from runner.units import counted


@click.command("validate")
@sweep_argument
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
def command(file: str, form: str) -> int:
    """Check a sweep file and print every problem in it, each at its place; exit 2 if there is an error.

    Resources are compared with a `capacity` written in the file, never with this machine. In GitHub Actions each problem is an
    annotation, too, at its line; `--format github` prints them anywhere.
    """
    if form != "text":
        machine_readable("json" if form == "json" else "raw")
    try:
        sweep = override(load_sweep(file, warn=True))
        capacity = Capacity(sweep.capacity, sweep.max_parallel)
        problems = [*check_fits(sweep, capacity.fits_ever, FILE_HINT), *check_shell_names(sweep, os.environ)]
        problems += sweep.secrets.problems(os.environ, needed=False)
        if problems:
            raise InvalidSweep(sweep.source, problems)
    except InvalidSweep as error:
        if form == "text":
            raise
        _print(error.source, error.problems, form)
        return error.exit_code
    if form == "text":
        say(summary(sweep))
        annotate(sweep.source, sweep.warnings)
    else:
        _print(sweep.source, sweep.warnings, form)
    return 0


def _print(source: Source, problems: Sequence[Problem], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(to_json(source, problems), ensure_ascii=False, indent=2))
    else:
        for line in problem_annotations(source, problems, os.environ):
            click.echo(line)


FILE_HINT = "raise `capacity`, or ask for less"


def summary(sweep: Sweep) -> str:
    sessions = sweep.space.count
    if sweep.sample is not None:
        sessions = min(sessions, sweep.sample.size)
    sessions *= sweep.repeat
    return f"{sweep.source.name}: valid, {counted(sessions, 'session')}"
