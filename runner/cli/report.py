"""`runner report`: one HTML file about a sweep."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

import runner
from runner.cli.console import error_text, machine_readable, say
from runner.cli.junit_option import require_writable
from runner.cli.options import state_option, sweep_argument
from runner.cli.states import open_sweep
from runner.errors import EnvironmentFailed
from runner.reporters.html import bundle
from runner.reporters.html.page import render
from runner.reporters.html.report import read_report
from runner.state.fs import replacing
from runner.units import format_memory


@click.command("report")
@sweep_argument
@click.option("-o", "--output", metavar="FILE", default="report.html", show_default=True, help="`-` is stdout.")
@state_option
def command(file: str, output: str, state: Path | None) -> None:
    """Write a page about the sweep: overview, plots, table, timeline, failures by cause, provenance.

    It is one file, opens without a network, and shows how things stand now, also while apply runs.
    """
    if output != "-":
        require_writable(Path(output))
    script = bundle.script()
    with open_sweep(file, state) as (planned, opened):
        report = read_report(planned.plan, opened, file, state, time.time(), runner.__version__)
    page = render(report, script)
    if output == "-":
        machine_readable("raw")
        sys.stdout.write(page)
        return
    size = _write(Path(output), page)
    say(f"wrote {output} ({format_memory(size)})")
    if script is None:
        say(f"hint: the report has no plots: `{bundle.INSTALL}` adds them")


def _write(path: Path, page: str) -> int:
    """Write the page atomically and return its size in bytes: a web server or an upload never sees a partial page."""
    data = page.encode()
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise EnvironmentFailed(
            f"cannot write `{path}`: {error_text(error)}", "`-o FILE` writes it elsewhere"
        ) from error
    return len(data)
