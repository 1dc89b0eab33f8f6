"""Options that use the lock: `plan --lock` writes it, `--frozen` compares the plan with it, `--shard` balances by it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import click

from runner.cli.console import say
from runner.cli.sweeps import PlannedSweep
from runner.errors import InvalidInput
from runner.model import Outcome, Session
from runner.plan.lockfile import Difference, Entry, Lock, changed_keys, difference, write
from runner.plan.sharding import Shard, balance, parse_shard
from runner.state import State, component
from runner.text.shorten import excerpt
from runner.units import counted

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = 5
"""The number of added, removed and changed sessions that a difference names."""

MAX_WIDTH = 100
"""Characters of a line of a difference."""


def shard_option(function: F) -> F:
    return click.option(
        "--shard",
        metavar="I/N",
        help="Only the I-th of N parts of the sweep, balanced by the durations in its lock if there is one.",
    )(function)


def frozen_option(function: F) -> F:
    return click.option("--frozen", is_flag=True, help="Exit 2 if the plan differs from its lock.")(function)


def lock_of(planned: PlannedSweep) -> Lock:
    """Return the lock of a sweep; its file may not exist."""
    return Lock(planned.sweep.folder / f"{component(planned.sweep.name)}.lock.json")


def shard_of(planned: PlannedSweep, text: str | None) -> Shard | None:
    """Return the shard of `--shard`, balanced by the lock if there is one. Raises InvalidInput."""
    if text is None:
        return None
    shard, lock = parse_shard(text), lock_of(planned)
    if not lock.path.exists():
        return shard
    return replace(shard, assigned=balance(lock.durations(), shard.of))


def require_as_locked(planned: PlannedSweep) -> None:
    """Raise InvalidInput with the differences if the plan differs from its lock."""
    lock = lock_of(planned)
    differences = difference(lock, planned.plan)
    if differences:
        fault = f"the plan differs from `{lock.path.name}`: {summary(differences)}"
        hint = "if that is intended, run `runner plan --lock` and commit the lock"
        raise InvalidInput(fault, hint, details(differences))


def write_lock(planned: PlannedSweep, state: State | None) -> None:
    """Write the lock, and say how it differs from the one before."""
    lock = lock_of(planned)
    try:
        differences = difference(lock, planned.plan) if lock.path.exists() else None
    except InvalidInput:
        differences = None

    def seconds(sessions: Any) -> Iterator[tuple[Session, float | None]]:
        if state is None:
            yield from ((session, None) for session in sessions)
        else:
            for session, last in state.journal.latest(sessions):
                yield session, last.duration if last and last.outcome is Outcome.SUCCEEDED else None

    write(lock.path, planned.plan, seconds)
    if differences:
        say("\n".join(details(differences)))
    changes = f" ({summary(differences)})" if differences is not None else ""
    say(f"wrote `{lock.path.name}`: {counted(planned.plan.count, 'session')}{changes}")


def summary(differences: Difference) -> str:
    """Return the numbers of added, removed and changed sessions in words."""
    counts = [
        f"{len(sessions):,} {word}"
        for word, sessions in (
            ("added", differences.added),
            ("removed", differences.removed),
            ("changed", differences.changed),
        )
        if sessions
    ]
    return ", ".join([*(f"`{key}` changed" for key in differences.shared), *counts]) or "nothing changed"


def details(differences: Difference) -> list[str]:
    """Return a line for each of the first added, removed and changed sessions, and below the latter the old and new texts."""
    added, removed = differences.added, differences.removed
    lines = [
        *_first("+", "added", [[_named(one)] for one in added[:SHOWN]], len(added)),
        *_first("-", "removed", [[_named(one)] for one in removed[:SHOWN]], len(removed)),
    ]
    changed = [[_named(new), *_changes(old, new)] for old, new in differences.changed[:SHOWN]]
    return lines + _first("~", "changed", changed, len(differences.changed))


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


def _changes(old: Entry, new: Entry) -> list[str]:
    return [
        _cut(f"{key} {verb} {_text(entry.get(key))}")
        for key in changed_keys(old, new)
        for verb, entry in (("was", old), ("is ", new))
    ]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(value)
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return excerpt(text, MAX_WIDTH)
