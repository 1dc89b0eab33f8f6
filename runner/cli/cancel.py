"""`runner cancel`: end sessions of a running apply, or the jobs that a dead runner left."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from runner.apply.leftover_inputs import LeftoverInputs
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
"""The last attempt of each session, by id; None if it has none."""


@click.command("cancel")
@click.argument("arguments", nargs=-1, metavar="[SWEEP.YAML] [SESSION]...")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait until the sessions have ended.",
)
@click.option("--gone", is_flag=True, help="Declare gone the machine of a dead apply: its jobs are recorded as lost.")
@state_option
def command(arguments: tuple[str, ...], timeout: float, gone: bool, state: Path | None) -> None:
    """End sessions of a running apply, or the whole apply if no session is named.

    If no apply runs, the jobs that a dead one left running are ended and recorded as lost. SESSION is an id, a unique
    prefix of one, or values: `lr=0.1,seed=3`.
    """
    named = bool(arguments) and not is_session(arguments[0])
    file, sessions = (arguments[0], arguments[1:]) if named else ("sweep.yaml", arguments)
    with open_sweep(file, state) as (planned, opened):
        if opened is None:
            if sessions:
                raise InvalidInput("this sweep has no state: none of its sessions has run", "`runner apply` runs them")
            say("nothing to cancel: this sweep has no state")
            return
        live = opened.holder is not None
        # A running apply uses the file as it was at its start.
        last = opened.journal.last_apply() if live else None
        known = (sweep_of_apply(last, planned.sweep.folder) if last else None) or planned
        ids = [_find(session, known, opened) for session in dict.fromkeys(sessions)]
        before = _rows(opened, ids)
        if live:
            opened.request_cancel(ids or None)
            _wait(opened, ids, timeout)
        if opened.holder is None:
            _end_leftovers(planned, state, frozenset(ids), live, gone)
        for session in ids:
            say(f"{session}: {_became(before[session], _rows(opened, [session])[session], opened)}")


def _find(text: str, known: PlannedSweep, state: State) -> str:
    """Return the id of a session, also of one that is not in the journal because it has not been submitted."""
    if is_session(text) and "=" not in text and not state.journal.sessions_matching(text, live=False):
        waiting = [session.id for session in known.plan if session.id.startswith(text.lower())]
        if len(waiting) == 1:
            return waiting[0]
    return find(text, known.plan, state)


def _rows(state: State, ids: Sequence[str]) -> Rows:
    return {session: state.journal.row(session) for session in ids}


def _wait(state: State, ids: Sequence[str], timeout: float) -> None:
    """Wait until the apply has read the request and the sessions have ended. Raises EnvironmentFailed after `timeout` s."""
    deadline = time.monotonic() + timeout
    accepted = False
    while state.holder is not None:
        if accepted and ids and not any(attempt.session in ids for attempt in state.journal.open_attempts()):
            return
        if time.monotonic() >= deadline:
            message = "the sessions have not ended" if accepted else "the apply has not read the request"
            raise EnvironmentFailed(f"{message} within {timeout:g} s", "`runner status` shows what still runs")
        # The attempts are checked only after the request was read: by then waiting sessions have been cancelled too.
        accepted = not any((state.folder / "cancel").glob("*.json"))
        time.sleep(POLL_SECONDS)


def _end_leftovers(
    planned: PlannedSweep, directory: Path | None, ids: frozenset[str], was_live: bool, gone: bool
) -> None:
    """End the jobs without a runner, of these sessions or of all, and say how many."""
    sweep = planned.sweep
    with open_for_writing(sweep.folder, sweep.name, directory) as held:
        at: dict[str, Mapping[str, Any]] = {kind: {} for kind in sorted(holders(held) & set(BACKENDS))}
        if sweep.backend.kind in at or sweep.backend.kind != LOCAL:
            at[sweep.backend.kind] = sweep.backend.options
        ended = end_leftovers(
            held,
            at,
            os.environ,
            sweep.policy.grace,
            ids,
            verified=LeftoverInputs(planned.plan, held).verified,
            gone=gone,
        )
    recorded = f"{counted(ended, 'left-over job')} ended or recorded as lost"
    if not was_live:
        say(f"`runner apply` is not running; {recorded if ended else 'no job is left over'}")
    else:
        say(f"`runner apply` has ended{f'; {recorded}' if ended else ''}")


def _became(before: AttemptRow | None, after: AttemptRow | None, state: State) -> str:
    """Return in words how the session is now, compared with its last attempt before the request."""
    live = state.holder is not None
    changed = after is not None and (before is None or before.number != after.number or before.outcome is None)
    if after is not None and after.outcome is not None and (changed or after.outcome is Outcome.SUCCEEDED or not live):
        return after.outcome.value if changed else f"already {after.outcome}"
    last = state.journal.last_apply()
    if after is not None and after.outcome is not None and last is not None and after.apply == last.number:
        return f"already {after.outcome}"
    return "cancelled before it started" if live else "it has not run"
