"""`runner prune`: free disk. Dry by default."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.cli.options import given, load_sweep, state_option, sweep_argument
from runner.errors import InvalidInput
from runner.state import open_for_reading, open_for_writing
from runner.units import UnitError, counted, format_memory, parse_duration


@click.command("prune")
@sweep_argument
@click.option("--orphans", is_flag=True, help="Sessions that the file no longer has: their logs, outputs and history.")
@click.option("--logs-older-than", metavar="AGE", help="Logs last written to before that: `30d`.")
@click.option("--yes", is_flag=True, help="Do it. Without this, only say what would be removed.")
@state_option
def command(file: str, orphans: bool, logs_older_than: str | None, yes: bool, state: Path | None) -> None:
    """Remove what is no longer needed: by default orphaned sessions; with `--logs-older-than`, old logs.

    Without `--yes` nothing is removed.
    """
    this = given(load_sweep(file))
    age = _age(logs_older_than) if logs_older_than else None
    with open_for_reading(this.sweep.folder, this.sweep.name, state) as found:
        if found is None:
            click.echo("nothing to remove: this sweep has no state")
            return
    known = {int(session.id, 16) for session in this.plan}
    with open_for_writing(this.sweep.folder, this.sweep.name, state) as opened:
        gone = (
            [stored.id for stored in opened.journal.orphans(known.__contains__, live=False)]
            if orphans or age is None
            else []
        )
        orphaned = frozenset(gone)
        logs = [
            log
            for log in opened.logs()
            if log.session in orphaned or (age is not None and log.modified < time.time() - age)
        ]
        size = sum(log.size for log in logs) + sum(opened.output_size(session) for session in gone)
        what = f"{counted(len(gone), 'orphaned session')}, {counted(len(logs), 'log')}, {format_memory(size)}"
        if not yes:
            click.echo(f"would remove {what}; `--yes` does it")
            return
        opened.remove_logs(logs)
        opened.remove_sessions(gone)
        opened.journal.forget(gone)
        click.echo(f"removed {what}")


def _age(text: str) -> float:
    try:
        return parse_duration(text)
    except UnitError as error:
        raise InvalidInput(f"in `--logs-older-than`: {error.message}", error.hint) from error
