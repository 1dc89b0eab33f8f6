"""The lock on the command line: `plan --lock` writes it, `--frozen` holds a plan to it, `--shard` is balanced by it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import click

from runner.cli.console import say
from runner.cli.sweeps import PlannedSweep
from runner.diagnostics import printable
from runner.errors import InvalidInput
from runner.model import Outcome, Session
from runner.plan.lockfile import Difference, Entry, Lock, changed_keys, difference, write
from runner.plan.sharding import Shard, balance, parse_shard
from runner.state import State, component
from runner.units import counted

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = 5
"""Sessions of each kind that a difference names."""

WIDEST = 100


def shard_option(function: F) -> F:
    return click.option(
        "--shard",
        metavar="I/N",
        help="Only the I-th of N parts of the sweep, balanced by the durations in its lock, if it has one.",
    )(function)


def frozen_option(function: F) -> F:
    return click.option("--frozen", is_flag=True, help="Refuse if the plan differs from its lock.")(function)


def lock_of(this: PlannedSweep) -> Lock:
    """Where the lock of a sweep lies, whether there is one or not."""
    return Lock(this.sweep.folder / f"{component(this.sweep.name)}.lock.json")


def shard_of(this: PlannedSweep, text: str | None) -> Shard | None:
    """The shard that was asked for; decided by the file and its lock alone. Raises InvalidInput."""
    if text is None:
        return None
    shard, lock = parse_shard(text), lock_of(this)
    if not lock.path.exists():
        return shard
    return replace(shard, assigned=balance(lock.durations(), shard.of))


def require_as_locked(this: PlannedSweep) -> None:
    """Raise InvalidInput, and say what differs, unless the plan is as its lock has it."""
    lock = lock_of(this)
    found = difference(lock, this.plan)
    if found:
        lines = [f"the plan differs from `{lock.path.name}`: {summary(found)}", *details(found)]
        raise InvalidInput("\n".join(lines), "if it should, `runner plan --lock` takes it in; commit that")


def write_lock(this: PlannedSweep, state: State | None) -> None:
    """Write the lock and say what is new in it."""
    lock = lock_of(this)
    try:
        found = difference(lock, this.plan) if lock.path.exists() else None
    except InvalidInput:
        found = None

    def seconds(sessions: Any) -> Iterator[tuple[Session, float | None]]:
        if state is None:
            yield from ((session, None) for session in sessions)
        else:
            for session, last in state.journal.latest(sessions):
                yield session, last.duration if last and last.outcome is Outcome.SUCCEEDED else None

    write(lock.path, this.plan, seconds)
    if found:
        say("\n".join(details(found)))
    said = f" ({summary(found)})" if found is not None else ""
    say(f"wrote `{lock.path.name}`: {counted(this.plan.count, 'session')}{said}")


def summary(found: Difference) -> str:
    counts = [
        f"{len(sessions):,} {word}"
        for word, sessions in (("added", found.added), ("removed", found.removed), ("changed", found.changed))
        if sessions
    ]
    return ", ".join([*(f"other `{part}`" for part in found.shared), *counts]) or "nothing changed"


def details(found: Difference) -> list[str]:
    """The first sessions of each kind, a line each, and two where a text has changed."""
    lines = [
        *_first("+", "added", [[_named(one)] for one in found.added[:SHOWN]], len(found.added)),
        *_first("-", "removed", [[_named(one)] for one in found.removed[:SHOWN]], len(found.removed)),
    ]
    changed = [[_named(other), *_changes(one, other)] for one, other in found.changed[:SHOWN]]
    return lines + _first("~", "changed", changed, len(found.changed))


def _first(mark: str, word: str, blocks: list[list[str]], count: int) -> list[str]:
    lines = [line for first, *rest in blocks for line in (f"  {mark} {first}", *(f"      {line}" for line in rest))]
    if count > len(blocks):
        lines.append(f"  … and {count - len(blocks):,} more {word}")
    return lines


def _named(one: Entry) -> str:
    shown = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in one["params"].items()
    ]
    if one.get("repeat"):
        shown.append(f"repeat={one['repeat']}")
    return _cut(" ".join(shown) or "(no variables)")


def _changes(one: Entry, other: Entry) -> list[str]:
    return [
        _cut(f"{key} {sign} {_text(entry.get(key))}")
        for key in changed_keys(one, other)
        for sign, entry in (("was", one), ("is ", other))
    ]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(value)
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= WIDEST else shown[: WIDEST - 1] + "…"
