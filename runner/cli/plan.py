"""`runner plan`: which sessions apply would run, and why."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click

from runner.apply.selection import Choice, History, Planned
from runner.cli import other_states
from runner.cli.capacity import capacity_of, require_fit
from runner.cli.console import machine_readable
from runner.cli.lock_options import frozen_option, require_as_locked, shard_of, shard_option, write_lock
from runner.cli.main import EXIT_PENDING
from runner.cli.options import select_option, state_option, sweep_argument
from runner.cli.sweeps import load_sweep, override, plan_sweep
from runner.errors import InvalidInput
from runner.model import Session, Status
from runner.state import open_for_reading
from runner.text.escape import printable, printable_lines
from runner.text.sessions import command as command_line
from runner.text.sessions import number, variables
from runner.units import counted

SHOWN = 100
"""The number of sessions that the text format shows. The JSON formats print every session."""


@click.command("plan")
@sweep_argument
@click.option("--format", "form", type=click.Choice(["text", "json", "jsonl"]), default="text", show_default=True)
@click.option("--count", is_flag=True, help="Print only the number of sessions.")
@click.option("--exit-code", is_flag=True, help="Exit 10 if a session is to be run.")
@click.option(
    "--all", "every", is_flag=True, help=f"Text format: show every session, not only the first {SHOWN} to run."
)
@click.option("--only", type=click.Choice(["new", "failed"]), help="Plan for `apply --only`.")
@click.option("--fresh", is_flag=True, help="Plan for `apply --fresh`: every session is to be run.")
@click.option("--ignore-files", is_flag=True, help="Sessions that differ only in the content of `files` count as done.")
@click.option("--capacity", metavar="R=N,…", help="Compare with this capacity instead of the machine's.")
@click.option("--max-parallel", type=click.IntRange(min=1), metavar="N", help="At most N sessions at once.")
@click.option("--backend", metavar="NAME", help="Plan for this backend.")
@click.option("--lock", is_flag=True, help="Write the plan to `NAME.lock.json`, for review and `--frozen`.")
@shard_option
@frozen_option
@select_option
@state_option
def command(
    file: str,
    form: Literal["text", "json", "jsonl"],
    count: bool,
    exit_code: bool,
    every: bool,
    only: Any,
    fresh: bool,
    ignore_files: bool,
    capacity: str | None,
    max_parallel: int | None,
    backend: str | None,
    lock: bool,
    shard: str | None,
    frozen: bool,
    select: tuple[str, ...],
    state: Path | None,
) -> int:
    """Show for each session whether `apply` would run it, and why. Nothing is started or written, except with `--lock`."""
    if form != "text":
        machine_readable(form)
    planned = plan_sweep(
        override(load_sweep(file, warn=True), capacity=capacity, max_parallel=max_parallel, backend=backend)
    )
    selection = planned.selection(select)
    if frozen:
        require_as_locked(planned)
    part = shard_of(planned, shard)
    if count and not exit_code:
        whole = selection is None and part is None
        click.echo(planned.plan.count if whole else sum(1 for _ in planned.plan.sessions(selection, part)))
        return 0
    require_fit(planned.sweep, capacity_of(planned.sweep))
    if lock:
        if select or shard or frozen:
            raise InvalidInput(
                "`--lock` cannot be combined with `--select`, `--shard` or `--frozen`", "a lock has the whole plan"
            )
        with open_for_reading(planned.sweep.folder, planned.sweep.name, state) as opened:
            write_lock(planned, opened)
        return 0
    choice = Choice(only, fresh, ignore_files, selection, part)
    with open_for_reading(planned.sweep.folder, planned.sweep.name, state) as opened:
        other_states.warn(planned, state, opened)
        journal = opened.journal if opened else None
        live = bool(opened and opened.holder)
        history = History(journal, planned.plan.recipe, live=live, ignore_files=ignore_files)
        printer = _Printer(planned.sweep.name, choice, history)
        printer.total = planned.plan.count
        rows = history.compare(printer.watch(planned.plan.sessions(selection, part)))
        if count:
            for _ in (printer.to_run_counted(row) for row in rows):
                pass
            click.echo(printer.seen)
        elif form == "jsonl":
            printer.jsonl(rows)
        elif form == "json":
            printer.json(rows)
        else:
            printer.text(rows, every)
        if selection is not None and not printer.seen and next(planned.plan.sessions(selection), None) is None:
            raise planned.nothing_selected(selection)
    return EXIT_PENDING if exit_code and printer.to_run else 0


class _Printer:
    """Prints the plan while iterating over it; memory does not grow with the number of sessions."""

    def __init__(self, sweep: str, choice: Choice, history: History) -> None:
        self.sweep = sweep
        self.choice = choice
        self.history = history
        self.total = 0
        """Sessions of the whole plan."""
        self.seen = 0
        """Selected sessions so far."""
        self.to_run = 0
        """Sessions to run so far."""
        self.counts = dict.fromkeys(Status, 0)
        self.orphans = history.known_ids()
        """Ids, as integers, that the state knows and the plan has not yielded so far."""

    def watch(self, sessions: Iterator[Session]) -> Iterator[Session]:
        """Yield the sessions, and count them."""
        for session in sessions:
            self.seen += 1
            if self.orphans:
                self.orphans.discard(int(session.id, 16))
            yield session

    def to_run_counted(self, planned: Planned) -> bool:
        """Count a session, and return whether it is to be run."""
        self.counts[planned.status] += 1
        wanted = self.choice.wants(planned.status) and planned.status is not Status.RUNNING
        self.to_run += wanted
        return wanted

    def jsonl(self, rows: Iterator[Planned]) -> None:
        encode = json.JSONEncoder(ensure_ascii=False).encode
        for planned in rows:
            self.to_run_counted(planned)
            print(encode(plan_row(planned)))

    def json(self, rows: Iterator[Planned]) -> None:
        encode = json.JSONEncoder(ensure_ascii=False).encode
        print(f'{{"sweep": {encode(self.sweep)}, "total": {self.total}, "sessions": [', end="")
        for first, planned in zip(itertools.chain([True], itertools.repeat(False)), rows, strict=False):
            self.to_run_counted(planned)
            print("\n  " if first else ",\n  ", encode(plan_row(planned)), sep="", end="")
        orphaned = ",\n  ".join(encode(row) for row in self.orphaned())
        print(f'\n], "to_run": {self.to_run}, "orphaned": [{orphaned}]}}')

    def orphaned(self) -> Iterator[dict[str, Any]]:
        """Yield the sessions of the state that the plan does not have. Call it after the plan was iterated over."""
        if self.choice.select is None and self.choice.shard is None:
            for stored in self.history.orphans(self.orphans):
                yield {
                    "id": stored.id,
                    "repeat": stored.repeat,
                    "params": {name: value.data for name, value in stored.params.items()},
                    "status": stored.status.value,
                }

    def text(self, rows: Iterator[Planned], every: bool) -> None:
        shown = 0
        for planned in rows:
            wanted = self.to_run_counted(planned)
            if not every and (not wanted or shown >= SHOWN):
                continue
            shown += 1
            session = planned.session
            mark = "+" if wanted else " "
            print(f"{mark} {session.id}  {planned.status.value:<11}  {variables(session.params, session.repeat)}")
            print(textwrap.indent(printable_lines(command_line(session).rstrip("\n")), " " * 20, lambda _: True))
            if planned.reason:
                print(f"{' ' * 20}because {printable(planned.reason)}")
        if not every and self.to_run > shown:
            print(f"… and {self.to_run - shown:,} more (`--all` shows them)")
        if shown:
            print()
        counts = ", ".join(f"{count:,} {status.value}" for status, count in self.counts.items() if count)
        by_status = f" ({counts})" if counts else ""
        orphans = sum(1 for _ in self.orphaned())
        part = f"shard {self.choice.shard}, " if self.choice.shard else ""
        print(f"{printable(self.sweep)}: {part}{counted(self.seen, 'session')}{by_status}, {self.to_run:,} to run")
        if orphans:
            print(f"{orphans:,} orphaned: in the state, but no longer in the file (`runner prune` removes them)")


def plan_row(planned: Planned) -> dict[str, Any]:
    """One session as `plan --format json` prints it; its shape is `schemas/plan.schema.json`."""
    session = planned.session
    return {
        "index": session.index,
        "id": session.id,
        "repeat": session.repeat,
        "params": {name: value.data for name, value in session.params.items()},
        "exec": session.exec,
        "env": session.env,
        "resources": {name: number(amount) for name, amount in session.resources.items()},
        "status": planned.status.value,
        "reason": planned.reason,
    }
