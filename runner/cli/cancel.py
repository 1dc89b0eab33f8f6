"""`runner cancel`: end sessions of a live apply, or what a dead one left over."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from runner.apply.recovery import LOCAL, end_leftovers, holders
from runner.backends import BACKENDS
from runner.cli.console import say
from runner.cli.options import is_session, state_option
from runner.cli.states import open_sweep, sweep_of_apply
from runner.cli.sweeps import PlannedSweep
from runner.errors import EnvironmentFailed, InvalidInput
from runner.model import Outcome
from runner.results.lookup import find
from runner.state import State, open_for_writing
from runner.state.rows import AttemptRow
from runner.units import counted

POLL_SECONDS = 0.2

Rows = Mapping[str, AttemptRow | None]
"""Sessions by id, with their last attempts."""


@click.command("cancel")
@click.argument("arguments", nargs=-1, metavar="[SWEEP.YAML] [SESSION]...")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the end.",
)
@click.option("--gone", is_flag=True, help="What an apply left over on another machine runs there no more.")
@state_option
def command(arguments: tuple[str, ...], timeout: float, gone: bool, state: Path | None) -> None:
    """End sessions of a live apply, or the whole apply where none is named.

    Where no apply lives, whatever a dead one left running is ended and recorded as lost. SESSION is an id, a unique
    beginning of one, or values: `lr=0.1,seed=3`.
    """
    named = bool(arguments) and not is_session(arguments[0])
    file, sessions = (arguments[0], arguments[1:]) if named else ("sweep.yaml", arguments)
    with open_sweep(file, state) as (this, opened):
        if opened is None:
            if sessions:
                raise InvalidInput("this sweep has no state: none of its sessions has run", "`runner apply` runs them")
            say("nothing to cancel: this sweep has no state")
            return
        live = opened.holder is not None
        # What a live apply runs is what the file said when it began.
        last = opened.journal.last_apply() if live else None
        known = (sweep_of_apply(last, this.sweep.folder) if last else None) or this
        ids = [_find(session, known, opened) for session in dict.fromkeys(sessions)]
        before = _rows(opened, ids)
        if live:
            opened.request_cancel(ids or None)
            _wait(opened, ids, timeout)
        if opened.holder is None:
            _settle_left_over(this, state, frozenset(ids), live, gone)
        for session in ids:
            say(f"{session}: {_became(before[session], _rows(opened, [session])[session], opened)}")


def _find(text: str, known: PlannedSweep, state: State) -> str:
    """As everywhere, but for one that waits for its turn: nobody has written down that one yet."""
    if is_session(text) and "=" not in text and not state.journal.sessions_matching(text, live=False):
        waiting = [session.id for session in known.plan if session.id.startswith(text.lower())]
        if len(waiting) == 1:
            return waiting[0]
    return find(text, known.plan, state)


def _rows(state: State, ids: Sequence[str]) -> Rows:
    return {session: state.journal.row(session) for session in ids}


def _wait(state: State, ids: Sequence[str], timeout: float) -> None:
    """Until the live apply has heard of it, and nothing of what shall end runs any more. Raises EnvironmentFailed."""
    deadline = time.monotonic() + timeout
    taken = False
    while state.holder is not None:
        if taken and ids and not any(attempt.session in ids for attempt in state.journal.open_attempts()):
            return
        if time.monotonic() >= deadline:
            what = "not ended" if taken else "the apply has not heard of it"
            raise EnvironmentFailed(f"{what} within {timeout:g} s", "`runner status` shows what still runs")
        # One more look after it was taken: only then has what waits been ended, too.
        taken = not any((state.folder / "cancel").glob("*.json"))
        time.sleep(POLL_SECONDS)


def _settle_left_over(this: PlannedSweep, directory: Path | None, ids: frozenset[str], lived: bool, gone: bool) -> None:
    sweep = this.sweep
    with open_for_writing(sweep.folder, sweep.name, directory) as held:
        at: dict[str, Mapping[str, Any]] = {kind: {} for kind in sorted(holders(held) & set(BACKENDS))}
        if sweep.backend.kind in at or sweep.backend.kind != LOCAL:
            at[sweep.backend.kind] = sweep.backend.options
        ended = end_leftovers(held, at, os.environ, sweep.policy.grace, ids, gone=gone)
    settled = f"{counted(ended, 'left-over job')} settled"
    if not lived:
        say(f"no apply is live; {settled}")
    else:
        say(f"the apply has ended; {settled}" if ended else "the apply has ended")


def _became(before: AttemptRow | None, after: AttemptRow | None, state: State) -> str:
    """What the request made of a session, as the journal has it."""
    live = state.holder is not None
    fresh = after is not None and (before is None or before.number != after.number or before.outcome is None)
    if after is not None and after.outcome is not None and (fresh or after.outcome is Outcome.SUCCEEDED or not live):
        return after.outcome.value if fresh else f"already {after.outcome}"
    last = state.journal.last_apply()
    if after is not None and after.outcome is not None and last is not None and after.apply == last.number:
        return f"already {after.outcome}"
    return "it waited for its turn, and will not run" if live else "it has not run"
