"""`runner apply`: make the results of a sweep exist."""

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
from runner.cli.capacity import capacity_of, require_fit
from runner.cli.console import say
from runner.cli.display import Display
from runner.cli.github import folded, on_github
from runner.cli.junit_option import junit_option, require_writable, write_junit
from runner.cli.lock_options import frozen_option, require_as_locked, shard_of, shard_option
from runner.cli.log_paths import where_logs_lie
from runner.cli.main import EXIT_FAILED, EXIT_OK
from runner.cli.options import select_option, state_option, sweep_argument
from runner.cli.outlets import HURRIED_SECONDS, Outlets, outlets
from runner.cli.sweeps import PlannedSweep, load_sweep, override, plan_sweep
from runner.errors import InvalidInput
from runner.reporters.progress.output import supports_redraw
from runner.reporters.progress.progress import Progress
from runner.reporters.streams import EventLines
from runner.state import State, open_for_writing
from runner.units import counted


@click.command("apply")
@sweep_argument
@click.option("--only", type=click.Choice(["new", "failed"]), help="Run only what never ended, or only what failed.")
@click.option("--fresh", is_flag=True, help="Run everything again; the history stays, output folders are emptied.")
@click.option("--ignore-files", is_flag=True, help="Sessions that differ only in the content of `files` count as done.")
@click.option("--capacity", metavar="R=N,…", help="At most this much in use at once: `cpu=8,mem=16g`.")
@click.option("--max-parallel", type=click.IntRange(min=1), metavar="N", help="At most N sessions at once.")
@click.option("--backend", metavar="NAME", help="Where to run; wins over the file.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more after the first failure: `stop: {failures: 1}`.")
@click.option("--detach", is_flag=True, help="Return when all is submitted; the next apply takes the jobs up again.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="jsonl: every event on stdout.",
)
@click.option("-v", "--verbose", is_flag=True, help="A line for every session that ends.")
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
    """Run every session that has not succeeded yet, as many at once as there is capacity for.

    What has succeeded is left alone; after any crash or interrupt the same command goes on. Exit 0 when every selected
    session has succeeded, 1 when one has not.
    """
    sweep = override(
        load_sweep(file), capacity=capacity, max_parallel=max_parallel, backend=backend, fail_fast=fail_fast
    )
    this = plan_sweep(sweep)
    require_detachable(this, detach)
    require_writable(junit)
    if frozen:
        require_as_locked(this)
    choice = Choice(only, fresh, ignore_files, this.selection(select), shard_of(this, shard))
    arguments = shlex.join([file, *(["--state", str(state)] if state else [])])

    def watch(opened: State, outlets: Outlets) -> Display:
        out = outlets.err
        mixed = form == "jsonl" and outlets.out.isatty()
        live = supports_redraw(out, os.environ) and not mixed
        progress = Progress(out, where_logs_lie(this, opened, arguments), live=live, verbose=verbose)
        lines = [EventLines(outlets.out)] if form == "jsonl" else []

        def finish(applied: Applied) -> None:
            elsewhere = jobs_elsewhere(this, choice, opened)
            progress.finish(applied.ended, applied.left - elsewhere, elsewhere)
            if junit:
                write_junit(junit, this, choice, opened)

        look = Display([*lines, progress], progress.seconds, progress.tick, finish)
        if live:
            look = replace(look, leave_terminal=(progress.hide, progress.show))
        return on_github(fold, look, this, choice, opened, out, os.environ)

    with outlets() as opened, folded(opened.err, f"runner apply {file}", os.environ) as fold:
        applied = execute(this, state, choice, opened, watch, detach)
    for kind in applied.running:
        at = f"{arguments} --backend {kind}" if backend or kind != this.sweep.backend.kind else arguments
        tell_running(applied, kind, f"`runner apply {at}`", f"`runner cancel {arguments}`")
    return exit_code(applied)


def jobs_elsewhere(this: PlannedSweep, choice: Choice, state: State) -> int:
    """How many of the chosen sessions another backend than the one at hand has a job of, or may have."""
    kinds = ("local", this.sweep.backend.kind)
    ids = {attempt.session for attempt in state.journal.open_attempts() if attempt.backend not in kinds}
    chosen = this.plan.sessions(choice.select, choice.shard) if ids else ()
    return sum(1 for session in chosen if session.id in ids)


def require_detachable(this: PlannedSweep, detach: bool) -> None:
    if detach and this.sweep.backend.kind == "local":
        hint = "`--backend` names one whose jobs run on by themselves"
        raise InvalidInput("jobs of backend `local` end with runner and cannot be detached", hint)


def tell_running(applied: Applied, backend: str, resume: str, cancel: str) -> None:
    """Nothing is left running without a word: what takes it up, and what ends it."""
    count = applied.running[backend]
    them = "it" if count == 1 else "them"
    verb = "may still run" if applied.signal else "still runs" if count == 1 else "still run"
    silent = ", which has not confirmed the end" if applied.signal else ""
    say(f"{counted(count, 'job')} {verb} at {backend}{silent}; {resume} takes {them} up, {cancel} ends {them}")


def execute(
    this: PlannedSweep,
    state: Path | None,
    choice: Choice,
    outlets: Outlets,
    watch: Callable[[State, Outlets], Display],
    detach: bool = False,
) -> Applied:
    """Apply a plan with the state held, and show it. Raises InvalidInput before anything has started."""
    capacity = capacity_of(this.sweep)
    require_fit(this.sweep, capacity)
    if choice.select is not None and next(this.plan.sessions(choice.select), None) is None:
        raise InvalidInput("no session has the selected values", "nothing was started")
    with open_for_writing(this.sweep.folder, this.sweep.name, state) as opened:
        look = watch(opened, outlets)
        apply = Apply(
            this.plan,
            opened,
            capacity,
            choice,
            gather(this.sweep.folder),
            Audience(look.consumers, look.seconds, look.tick, look.leave_terminal),
            environ=os.environ,
            detach=detach,
        )
        try:
            applied = apply.run()
        except BaseException:
            if look.leave_terminal:
                look.leave_terminal[0]()  # what went wrong is about to be said
            raise
        if applied.signal is not None:
            outlets.patience = HURRIED_SECONDS
        look.finish(applied)
        return applied


def exit_code(applied: Applied) -> int:
    """0, 1, or what the shell expects of a program that a signal ended."""
    if applied.signal is not None:
        return 128 + applied.signal
    return EXIT_OK if applied.succeeded else EXIT_FAILED
