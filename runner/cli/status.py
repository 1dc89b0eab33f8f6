"""`runner status`: the progress of a running or finished sweep, from any terminal."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from runner.cli.console import machine_readable
from runner.cli.log_paths import log_command
from runner.cli.options import state_option, sweep_argument
from runner.cli.states import open_sweep
from runner.cli.sweeps import PlannedSweep
from runner.cli.watch import await_apply, follow
from runner.errors import InvalidInput
from runner.events import iso
from runner.model import Session, Status
from runner.reporters.progress.snapshot import Snapshot, take_snapshot
from runner.reporters.progress.summary import cause_lines
from runner.results.collected import MissingMetrics
from runner.results.columns import STATUSES
from runner.results.failures import CAUSED, how
from runner.results.overview import Overview, overview
from runner.results.rows import Result, result_row
from runner.state import State
from runner.state.rows import ApplyRow
from runner.text.escape import printable
from runner.text.sessions import variables
from runner.units import counted, format_duration

SHOWN = 10
"""The number of running sessions that the text format lists. JSON has all of them."""


@click.command("status")
@sweep_argument
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "-w", "--watch", is_flag=True, help="Refresh until no apply is running; waits for the first apply to start."
)
@state_option
def command(file: str, form: str, watch: bool, state: Path | None) -> None:
    """Show the number of sessions by status, what is running, and what failed and why."""
    arguments = shlex.join([file, *(["--state", str(state)] if state else [])])
    with open_sweep(file, state) as (planned, opened):
        if form == "json":
            if watch:
                raise InvalidInput(
                    "`--watch` and `--format json` cannot be combined",
                    "`runner apply --format jsonl` prints every event",
                )
            machine_readable("json")
            seen = overview(planned.plan, opened) if opened else _without_state(planned)
            click.echo(json.dumps(_gather(planned, opened, seen), ensure_ascii=False, indent=2))
            return
        if not watch or (opened is not None and opened.journal.last_apply() is not None):
            _show(planned, opened, watch, arguments)
            return
    await_apply(planned.sweep, state)
    with open_sweep(file, state) as (planned, opened):  # the file may have been changed before it was applied
        _show(planned, opened, watch, arguments)


def _show(planned: PlannedSweep, state: State | None, watch: bool, arguments: str) -> None:
    if watch and state is not None:
        follow(lambda: take_snapshot(planned.plan, state, causes=False))
    seen = overview(planned.plan, state) if state else _without_state(planned)
    snapshot = take_snapshot(planned.plan, state, seen=seen) if state else None
    for line in _lines(_gather(planned, state, seen), snapshot, seen.missing, arguments):
        click.echo(printable(line))


def _without_state(planned: PlannedSweep) -> Overview:
    return Overview(Counter({Status.NEW: planned.plan.count}))


def _gather(planned: PlannedSweep, state: State | None, seen: Overview) -> dict[str, Any]:
    """Return the status as plain data, in the shape of `schemas/status.schema.json`."""
    holder = state.holder if state else None
    applies = [_apply(apply, live=holder is not None) for apply in state.journal.last_applies()] if state else []
    unfinished = {result.session.id for result in seen.unfinished}
    attempts = state.journal.open_attempts() if state else []
    strays = [attempt for attempt in attempts if attempt.remote and attempt.session not in unfinished]
    return {
        "sweep": planned.sweep.name,
        "total": planned.plan.count,
        "counts": {status: seen.counts[status] for status in STATUSES if seen.counts[status]},
        "holder": {"pid": holder.pid, "host": holder.host, "user": holder.user} if holder else None,
        "apply": applies[0] if applies else None,
        "merged": applies if len(applies) > 1 else [],
        "running": [_running(result) for result in seen.unfinished if result.status == Status.RUNNING],
        "failed": [_failed(result, state) for result in seen.unfinished if result.status in CAUSED],
        "missing": seen.missing.to_json(),
        "orphaned": seen.orphaned,
        "orphaned_running": [{"id": one.session, "job": one.job, "backend": one.backend} for one in strays],
    }


def _session(session: Session) -> dict[str, Any]:
    return {"id": session.id, "session": variables(session.params, session.repeat)}


def _running(result: Result) -> dict[str, Any]:
    assert result.last is not None
    last = result.last
    started, waiting = last.started, last.reason
    if result.again is not None and last.outcome is not None:
        started, waiting = None, f"{how(last.outcome, last.exit_code, last.reason)}, again at {iso(result.again)}"
    return {
        **_session(result.session),
        "attempt": last.number,
        "job": last.job,
        "host": last.host,
        "started": None if started is None else iso(started),
        "waiting": waiting,
    }


def _failed(result: Result, state: State | None) -> dict[str, Any]:
    assert result.last is not None
    stderr = result_row(result, state).stderr
    return {**_session(result.session), "outcome": result.status, "reason": result.last.reason, "stderr": stderr}


def _apply(apply: ApplyRow, *, live: bool) -> dict[str, Any]:
    return {
        "number": apply.number,
        "started": iso(apply.started),
        "ended": None if apply.ended is None else iso(apply.ended),
        "duration": None if apply.ended is None else apply.ended - apply.started,
        "backend": apply.backend,
        "host": apply.host,
        "user": apply.user,
        "version": apply.version,
        "commit": apply.commit,
        "dirty": apply.dirty,
        "stopped": apply.stopped,
        "interrupted": apply.interrupted,
        "waiting": apply.waiting if live else None,
        "usage": None if apply.usage is None else asdict(apply.usage),
    }


def _lines(found: dict[str, Any], now: Snapshot | None, missing: MissingMetrics, arguments: str) -> Iterator[str]:
    """Yield the lines of the text format: counts, the progress or the end of the last apply, failures by cause."""
    counts = ", ".join(f"{count:,} {status}" for status, count in found["counts"].items())
    yield f"{found['sweep']}: {counted(found['total'], 'session')} ({counts})"
    if found["holder"]:
        holder = found["holder"]
        yield f"apply runs as pid {holder['pid']} of {holder['user']} on {holder['host']}"
        if found["apply"] and found["apply"]["waiting"]:
            yield f"  waiting: {found['apply']['waiting']}"
    elif found["apply"]:
        for apply in found["merged"] or [found["apply"]]:
            yield from _applied(apply, "merged" if found["merged"] else "last apply")
    if now is not None:
        yield from now.lines()
    for row in found["running"][:SHOWN]:
        since = "" if row["started"] is None else f" since {row['started']}"
        # Without a live apply the journal is not updated: a submitted session may have started since.
        waits = "waiting" if found["holder"] or row["waiting"] else "submitted"
        word = "running" if row["started"] else waits
        yield f"  {word}  {row['id']}  {row['session']}{since}{_because(row['waiting'])}"
    if len(found["running"]) > SHOWN:
        yield f"  and {len(found['running']) - SHOWN:,} more"
    for row in found["orphaned_running"]:
        yield f"  orphaned  {row['id']}  runs as {row['job']} at {row['backend']}; `runner apply` ends it"
    if idle := found["orphaned"] - len(found["orphaned_running"]):
        yield f"{idle:,} orphaned: in the state, but no longer in the file (`runner prune` removes them)"
    yield from missing.lines()
    if now is not None and now.tracker.causes:
        yield ""
        yield from cause_lines(now.tracker.causes.values(), lambda cause, stream: log_command(cause, stream, arguments))


def _applied(apply: dict[str, Any], what: str) -> Iterator[str]:
    how = f"took {format_duration(apply['duration'])}" if apply["ended"] else "was killed before its end"
    commit = f", commit {apply['commit'][:12]}{' with changes' if apply['dirty'] else ''}" if apply["commit"] else ""
    yield f"{what}: {apply['started']} on {apply['host']}, {how}{commit}"
    for word in ("stopped", "interrupted"):
        if apply[word]:
            yield f"  {word}: {apply[word]}" if apply[word] != word else f"  {word}"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
