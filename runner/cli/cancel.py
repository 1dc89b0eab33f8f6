"""`runner cancel`: end sessions of a live apply, or what a dead one left over."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click
import trio

from runner.backends import BACKENDS
from runner.cli.options import given, load_sweep, state_option
from runner.errors import EnvironmentFailed
from runner.leftovers import settle
from runner.sessions import find
from runner.state import State, open_for_reading, open_for_writing
from runner.sweep import Sweep
from runner.units import counted

POLL_SECONDS = 0.2


@click.command("cancel")
@click.argument("file", metavar="[SWEEP.YAML]", default="sweep.yaml")
@click.argument("sessions", nargs=-1, metavar="[SESSION]...")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the end.",
)
@state_option
def command(file: str, sessions: tuple[str, ...], timeout: float, state: Path | None) -> None:
    """End sessions of a live apply, or the whole apply where none is named.

    Where no apply lives, whatever a dead one left running is ended and recorded as lost.
    """
    this = given(load_sweep(file))
    with open_for_reading(this.sweep.folder, this.sweep.name, state) as opened:
        if opened is None:
            click.echo("nothing to cancel: this sweep has no state", err=True)
            return
        ids = [find(session, this.plan, opened) for session in sessions]
        if opened.holder is not None:
            opened.request_cancel(ids or None)
            _wait(opened, ids, timeout)
            return
    with open_for_writing(this.sweep.folder, this.sweep.name, state) as held:
        ended = trio.run(_settle, held, this.sweep, frozenset(ids))
    click.echo(f"no apply is live; {counted(ended, 'left-over attempt')} settled", err=True)


async def _settle(state: State, sweep: Sweep, sessions: frozenset[str]) -> int:
    """End what is left over, at every backend that has some of it; with `sessions`, of what runs on only theirs."""
    kinds = {attempt.backend for attempt in state.journal.open_attempts()} & set(BACKENDS)
    ended = 0
    for kind in sorted({"local", sweep.backend.kind, *kinds}):
        options = sweep.backend.options if kind == sweep.backend.kind else {}
        async with BACKENDS[kind](options, os.environ) as backend:
            spared = (lambda found: found - sessions) if sessions else (lambda found: frozenset())
            settled = await settle(state, backend, sweep.policy.grace, state.journal.record, spared)
            ended += len(settled.ended)
    return ended


def _wait(state: State, ids: list[str], timeout: float) -> None:
    """Until the live apply has done as asked. Raises EnvironmentFailed if it takes too long."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if state.holder is None:
            click.echo("the apply has ended", err=True)
            return
        running = {attempt.session for attempt in state.journal.open_attempts()}
        if ids and not running.intersection(ids):
            click.echo(f"{counted(len(ids), 'session')} cancelled", err=True)
            return
        time.sleep(POLL_SECONDS)
    raise EnvironmentFailed(f"not ended within {timeout:g} s", "`runner status` shows what still runs")
