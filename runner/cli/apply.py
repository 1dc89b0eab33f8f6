"""`runner apply`: run the sessions of a sweep that have not succeeded yet."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from runner.apply.apply import Applied, Apply, Audience
from runner.apply.provenance import gather
from runner.apply.selection import Choice
from runner.cli import other_states
from runner.cli.capacity import capacity_of, require_fit
from runner.cli.console import say
from runner.cli.display import Display
from runner.cli.github import folded, on_github
from runner.cli.junit_option import junit_option, require_writable, write_junit
from runner.cli.lock_options import frozen_option, require_as_locked, shard_of, shard_option
from runner.cli.log_paths import log_locator
from runner.cli.main import EXIT_FAILED, EXIT_OK
from runner.cli.options import select_option, state_option, sweep_argument
from runner.cli.outlets import INTERRUPTED_SECONDS, Outlets, outlets
from runner.cli.sweeps import PlannedSweep, load_sweep, override, plan_sweep
from runner.errors import InvalidInput
from runner.reporters.progress.output import supports_redraw
from runner.reporters.progress.progress import Progress
from runner.reporters.streams import EventLines
from runner.state import State, open_for_reading, open_for_writing
from runner.units import counted


@click.command("apply")
@sweep_argument
@click.option(
    "--only",
    type=click.Choice(["new", "failed"]),
    help="Run only sessions without an ended attempt, or only failed ones.",
)
@click.option("--fresh", is_flag=True, help="Run every session again. The history is kept, output folders are emptied.")
@click.option("--ignore-files", is_flag=True, help="Sessions that differ only in the content of `files` count as done.")
@click.option("--capacity", metavar="R=N,…", help="The most of each resource in use at once: `cpu=8,mem=16g`.")
@click.option("--max-parallel", type=click.IntRange(min=1), metavar="N", help="At most N sessions at once.")
@click.option("--backend", metavar="NAME", help="Where to run; replaces `backend` of the file.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more after the first failure: `stop: {failures: 1}`.")
@click.option("--detach", is_flag=True, help="Return when all sessions are submitted; the next apply adopts the jobs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="jsonl prints every event on stdout.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print a line for every session that ends.")
@junit_option
@shard_option
@frozen_option
@select_option
@state_option
def command(
    file: str,
    only: Any,
    fresh: bool,
    ignore_files: bool,
    capacity: str | None,
    max_parallel: int | None,
    backend: str | None,
    fail_fast: bool,
    detach: bool,
    form: str,
    verbose: bool,
    junit: Path | None,
    shard: str | None,
    frozen: bool,
    select: tuple[str, ...],
    state: Path | None,
) -> int:
    """Run every session that has not succeeded yet, as many at once as the capacity allows.

    Sessions that have succeeded are not run again. After a crash or an interrupt the same command continues. Exit 0 if every
    selected session has succeeded, 1 if one has not.
    """
    sweep = override(
        load_sweep(file, warn=True), capacity=capacity, max_parallel=max_parallel, backend=backend, fail_fast=fail_fast
    )
    planned = plan_sweep(sweep)
    require_detachable(planned, detach)
    require_writable(junit)
    if frozen:
        require_as_locked(planned)
    choice = Choice(only, fresh, ignore_files, planned.selection(select), shard_of(planned, shard))
    arguments = shlex.join([file, *(["--state", str(state)] if state else [])])
    with open_for_reading(sweep.folder, sweep.name, state) as known:
        other_states.warn(planned, state, known)
    other_states.remember(sweep, state)

    def watch(opened: State, outlets: Outlets) -> Display:
        out = outlets.err
        mixed = form == "jsonl" and outlets.out.isatty()
        live = supports_redraw(out, os.environ) and not mixed
        progress = Progress(out, log_locator(planned, opened, arguments), live=live, verbose=verbose)
        lines = [EventLines(outlets.out)] if form == "jsonl" else []

        def finish(applied: Applied) -> None:
            elsewhere = jobs_elsewhere(planned, choice, opened)
            progress.finish(applied.ended, applied.left - elsewhere, elsewhere)
            if junit:
                write_junit(junit, planned, choice, opened)

        display = Display([*lines, progress], progress.seconds, progress.tick, finish)
        if live:
            display = replace(display, leave_terminal=(progress.hide, progress.show))
        return on_github(fold, display, planned, choice, opened, out, os.environ)

    with outlets() as opened, folded(opened.err, f"runner apply {file}", os.environ) as fold:
        applied = execute(planned, state, choice, opened, watch, detach)
    for kind in applied.running:
        at = f"{arguments} --backend {kind}" if backend or kind != planned.sweep.backend.kind else arguments
        report_running(applied, kind, f"`runner apply {at}`", f"`runner cancel {arguments}`")
    return exit_code(applied)


def jobs_elsewhere(planned: PlannedSweep, choice: Choice, state: State) -> int:
    """Return the number of chosen sessions with an open attempt on a backend other than `local` and the sweep's."""
    kinds = ("local", planned.sweep.backend.kind)
    ids = {attempt.session for attempt in state.journal.open_attempts() if attempt.backend not in kinds}
    chosen = planned.plan.sessions(choice.select, choice.shard) if ids else ()
    return sum(1 for session in chosen if session.id in ids)


def require_detachable(planned: PlannedSweep, detach: bool) -> None:
    """Raise InvalidInput for `--detach` on the local backend."""
    if detach and planned.sweep.backend.kind == "local":
        hint = "leave `--detach` out, or choose `--backend slurm` or `--backend backend.ai`"
        raise InvalidInput("jobs of backend `local` end with runner and cannot be detached", hint)


def report_running(applied: Applied, backend: str, resume: str, cancel: str) -> None:
    """Say how many jobs still run on a backend, and which commands adopt and end them."""
    count = applied.running[backend]
    them = "it" if count == 1 else "them"
    verb = "may still run" if applied.signal else "still runs" if count == 1 else "still run"
    silent = ", which has not confirmed the end" if applied.signal else ""
    say(f"{counted(count, 'job')} {verb} at {backend}{silent}; {resume} adopts {them}, {cancel} ends {them}")


def execute(
    planned: PlannedSweep,
    state: Path | None,
    choice: Choice,
    outlets: Outlets,
    watch: Callable[[State, Outlets], Display],
    detach: bool = False,
) -> Applied:
    """Apply a plan and show the progress. Holds the state. Raises InvalidInput before anything is started."""
    capacity = capacity_of(planned.sweep)
    require_fit(planned.sweep, capacity)
    if choice.select is not None and next(planned.plan.sessions(choice.select), None) is None:
        raise planned.nothing_selected(choice.select)
    with open_for_writing(planned.sweep.folder, planned.sweep.name, state) as opened:
        display = watch(opened, outlets)
        apply = Apply(
            planned.plan,
            opened,
            capacity,
            choice,
            gather(planned.sweep.folder),
            Audience(display.consumers, display.seconds, display.tick, display.leave_terminal),
            environ=os.environ,
            detach=detach,
        )
        try:
            applied = apply.run()
        except BaseException:
            if display.leave_terminal:
                display.leave_terminal[0]()  # the error boundary prints the error below it
            raise
        if applied.signal is not None:
            outlets.patience = INTERRUPTED_SECONDS
        display.finish(applied)
        return applied


def exit_code(applied: Applied) -> int:
    """Return the exit code: 0, 1, or 128 plus the number of the signal that interrupted the apply."""
    if applied.signal is not None:
        return 128 + applied.signal
    return EXIT_OK if applied.succeeded else EXIT_FAILED
