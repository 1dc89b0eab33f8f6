"""`runner prune`: remove orphaned sessions, their builds, and old logs. Without `--yes` only count them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import click

from runner.apply.leftover_inputs import LeftoverInputs
from runner.apply.recovery import LOCAL, end_leftovers, holders
from runner.cli import other_states
from runner.cli.console import say
from runner.cli.options import state_option, sweep_argument
from runner.cli.sweeps import PlannedSweep, load_sweep, plan_sweep
from runner.errors import InvalidInput
from runner.plan.builds import build_key
from runner.state import Log, State, open_for_reading, open_for_writing
from runner.state.snapshots import digest_of
from runner.units import UnitError, counted, format_memory, parse_duration


@click.command("prune")
@sweep_argument
@click.option(
    "--orphans", is_flag=True, help="Remove sessions that are no longer in the file: logs, outputs, history, builds."
)
@click.option("--logs-older-than", metavar="AGE", help="Remove logs last written to longer ago than AGE: `30d`, `12h`.")
@click.option("--yes", is_flag=True, help="Remove them. Without `--yes`, show what would be removed.")
@state_option
def command(file: str, orphans: bool, logs_older_than: str | None, yes: bool, state: Path | None) -> None:
    """Remove orphaned sessions, or with `--logs-older-than` old logs.

    Without `--yes` nothing is removed.
    """
    planned = plan_sweep(load_sweep(file))
    age = _age(logs_older_than) if logs_older_than else None
    with open_for_reading(planned.sweep.folder, planned.sweep.name, state) as opened:
        if opened is None:
            click.echo("nothing to remove: this sweep has no state")
            return
        if not yes:
            click.echo(f"would remove {_find(planned, opened, orphans, age)}; `--yes` removes them")
            return
    with open_for_writing(planned.sweep.folder, planned.sweep.name, state) as held:
        if LOCAL in holders(held):  # running sessions must stay in the journal
            verified = LeftoverInputs(planned.plan, held).verified
            end_leftovers(held, {LOCAL: {}}, os.environ, planned.sweep.policy.grace, verified=verified)
        unneeded = _find(planned, held, orphans, age)
        held.remove_logs(unneeded.logs)
        held.remove_sessions(unneeded.sessions)
        for build in unneeded.builds:
            held.remove_build(build)
        held.remove_snapshots(unneeded.snapshots)
        held.journal.forget(unneeded.sessions)
        click.echo(f"removed {unneeded}")


@dataclass(frozen=True)
class Unneeded:
    """The sessions, logs and builds that can be removed."""

    sessions: list[str]
    """Ids of orphaned sessions."""
    logs: list[Log]
    builds: list[str]
    snapshots: list[str]
    size: int
    """Bytes that are freed, without the journal."""

    def __str__(self) -> str:
        parts = [counted(len(self.sessions), "orphaned session"), counted(len(self.logs), "log")]
        if self.builds:
            parts.append(counted(len(self.builds), "build"))
        if self.snapshots:
            parts.append(counted(len(self.snapshots), "snapshot"))
        return ", ".join([*parts, format_memory(self.size)])


def _find(planned: PlannedSweep, state: State, orphans: bool, age: float | None) -> Unneeded:
    sessions, builds, snapshots = _orphaned(planned, state) if orphans or age is None else ([], [], [])
    orphaned = frozenset(sessions)
    logs = [
        log for log in state.logs() if log.session in orphaned or (age is not None and log.modified < time.time() - age)
    ]
    size = sum(log.size for log in logs)
    size += sum(map(state.output_size, sessions)) + sum(map(state.build_size, builds))
    size += sum(map(state.snapshots.size, snapshots))
    return Unneeded(sessions, logs, builds, snapshots, size)


def _orphaned(planned: PlannedSweep, state: State) -> tuple[list[str], list[str], list[str]]:
    """Return the ids of sessions, builds and snapshots that no plan has, without those that may still run.

    What another sweep file with the same state has, or has run last, is its own to remove.
    """
    others = other_states.sharing(planned.sweep, state)
    plans = [other for other in others if isinstance(other, PlannedSweep)]
    own, used = _used(planned)
    theirs = set()
    for other in plans:
        sessions, builds = _used(other)
        theirs |= sessions
        used |= builds
    paths = [other_states.path_of(other) for other in others]
    texts = [text for text in state.journal.files() if Path(os.path.normpath(state.folder / text)) in paths]
    theirs |= {int(session, 16) for session in state.journal.last_run_by(texts)}
    held = state.holder is not None
    running = {attempt.session for attempt in state.journal.open_attempts() if held or attempt.backend != LOCAL}
    building = {build.build for build in state.journal.open_builds() if held or build.backend != LOCAL}
    orphans = [it.id for it in state.journal.orphans(own.__contains__, live=False) if it.id not in running]
    unneeded = [session for session in orphans if int(session, 16) not in theirs]
    if kept := len(orphans) - len(unneeded):
        names = " and ".join(f"`{other_states.shown(path)}`" for path in paths)
        say(
            f"keeping {counted(kept, 'session')} of {names}, which {'has' if len(paths) == 1 else 'have'} the same state"
        )
    if len(plans) < len(others):  # what a file uses that is invalid now is unknown
        return unneeded, [], []
    recipes = [plan.plan.recipe for plan in (planned, *plans)]
    open_now = (state.journal.apply_of(attempt.session, attempt.number) for attempt in state.journal.open_attempts())
    recipes += [apply.recipe for apply in open_now if apply is not None]
    snapshots = state.snapshots.all() - {digest_of(recipe.parts.get("files", {})) for recipe in recipes}
    return unneeded, sorted(state.builds() - used - building), sorted(snapshots)


def _used(planned: PlannedSweep) -> tuple[set[int], set[str]]:
    """Return the sessions, as integers, and the builds of a plan."""
    sessions, builds = set(), set()
    for session in planned.plan:
        sessions.add(int(session.id, 16))
        if session.build is not None:
            builds.add(build_key(session, planned.plan.recipe, planned.sweep.backend.kind))
    return sessions, builds


def _age(text: str) -> float:
    """Return seconds. A number without a unit is refused: users mean days, but `parse_duration` reads seconds."""
    if text.strip().replace(".", "", 1).isdecimal():
        raise InvalidInput(f"`{text}` in `--logs-older-than` has no unit", f"write `{text.strip()}d` for days")
    try:
        return parse_duration(text)
    except UnitError as error:
        raise InvalidInput(f"in `--logs-older-than`: {error.message}", error.hint) from error
