"""The lock of a sweep, `NAME.lock.json` beside its file: the reviewed plan.

It holds what the id of a session digests, except the content of `files`: the variables and the rendered texts. Each session
has one line, in plan order, so that git shows an edit of the file as the sessions that it adds, removes and changes. `seconds`
is the duration of a session; shards are balanced by it. The shape is `schemas/lock.schema.json`. The reader relies on the line
breaks of `write`, so that a lock of a million sessions is read line by line.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from runner.errors import InvalidInput
from runner.model import Session
from runner.plan.plan import Plan
from runner.state.fs import replacing_text

VERSION = 1

UNCHANGED_WITHIN = 1.25
"""A duration in the lock is replaced if the new one differs by more than this factor, so that noise does not change the lock."""

_encode = json.JSONEncoder(ensure_ascii=False).encode
_REWRITE = "`runner plan --lock` writes a new one"

Entry: TypeAlias = Mapping[str, Any]
"""One line of the lock: `point`, `repeat`, `params`, the rendered texts and `seconds`; default values are left out."""


@dataclass
class Difference:
    """How a plan differs from its lock. False if it does not."""

    shared: list[str] = field(default_factory=list)
    """The keys that all sessions share and that differ."""
    added: list[Entry] = field(default_factory=list)
    removed: list[Entry] = field(default_factory=list)
    changed: list[tuple[Entry, Entry]] = field(default_factory=list)
    """Pairs of the entry in the lock and the entry of the plan."""

    def __bool__(self) -> bool:
        return bool(self.shared or self.added or self.removed or self.changed)


def entry(session: Session, seconds: float | None = None) -> Entry:
    """Return the line of a session."""
    values: dict[str, Any] = {
        "point": session.point,
        "repeat": session.repeat,
        "params": {name: value.data for name, value in session.params.items()},
        "exec": list(session.exec) if isinstance(session.exec, tuple) else session.exec,
        "env": dict(session.env),
        "build": session.build,
        "image": session.image,
        "workdir": None if session.workdir == "." else session.workdir,
        "seconds": seconds,
    }
    return {key: value for key, value in values.items() if key in ("point", "params") or value not in (None, 0, {})}


class Lock:
    """A lock file. Its methods raise InvalidInput if it is missing or not in the format that `plan --lock` writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def header(self) -> dict[str, Any]:
        """Return the keys before the sessions: `version`, `sweep`, `count`, and `code` if the sweep has it."""
        with self._opened() as file:
            lines = itertools.takewhile(lambda line: line.strip() != '"sessions": [', file)
            found = self._parsed("".join(lines).rstrip().rstrip(",") + "}")
        if found.get("version") != VERSION or not isinstance(found.get("count"), int):
            raise self._malformed()
        return found

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in order, and check their number at the end."""
        missing = self.header()["count"]
        with self._opened() as file:
            lines = itertools.dropwhile(lambda line: line.strip() != '"sessions": [', file)
            for line in itertools.islice(lines, 1, None):
                if line.startswith("]"):
                    if missing:
                        break
                    return
                found = self._parsed(line.removeprefix(","))
                if not isinstance(found.get("point"), str) or not isinstance(found.get("params"), dict):
                    raise self._malformed()
                missing -= 1
                yield found
        raise self._malformed()

    def durations(self) -> Iterator[tuple[int, float]]:
        """Yield the point, as an integer, and the seconds of each session with a known duration."""
        for one in self.entries():
            if "seconds" in one:
                try:
                    yield int(one["point"], 16), float(one["seconds"])
                except (TypeError, ValueError):
                    raise self._malformed() from None

    def _opened(self) -> Any:
        try:
            return self.path.open(encoding="utf-8")
        except FileNotFoundError:
            raise InvalidInput(f"`{self.path.name}` does not exist", "`runner plan --lock` writes it") from None

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            raise self._malformed() from None
        if not isinstance(found, dict):
            raise self._malformed()
        return found

    def _malformed(self) -> InvalidInput:
        return InvalidInput(f"`{self.path.name}` is not a lock that this version can read", _REWRITE)


def write(
    path: Path, plan: Plan, seconds: Callable[[Iterable[Session]], Iterator[tuple[Session, float | None]]]
) -> None:
    """Write the lock of a plan atomically.

    `seconds` pairs each session with its duration, None if it is unknown. Then the duration in the existing lock is kept.
    """
    before: dict[int, float] = {}
    if path.exists():
        try:
            before = dict(Lock(path).durations())
        except InvalidInput:
            before = {}  # an unreadable lock is replaced
    header: dict[str, Any] = {"version": VERSION, "sweep": plan.sweep.name, "count": plan.count}
    if plan.sweep.code is not None:
        header["code"] = plan.sweep.code
    with replacing_text(path, errors="backslashreplace", flush=True) as file:
        file.write("{\n" + "".join(f"{_encode(key)}: {_encode(value)},\n" for key, value in header.items()))
        file.write('"sessions": [\n')
        # The comma is at the start of a line, so that sessions added at the end do not change the line before them.
        for comma, (session, measured) in zip(
            itertools.chain([""], itertools.repeat(",")), seconds(plan), strict=False
        ):
            duration = _duration(measured, before.get(int(session.point, 16)))
            file.write(f"{comma}{_encode(entry(session, duration))}\n")
        file.write("]}\n")


def difference(lock: Lock, plan: Plan) -> Difference:
    """Compare the plan with the lock, ignoring order.

    Both are read once, side by side. Memory holds the differences and the entries that were seen on one side only so far.
    """
    result = Difference()
    if lock.header().get("code") != plan.sweep.code:
        result.shared.append("code")
    locked: dict[str, Entry] = {}
    planned: dict[str, Entry] = {}
    for old, new in itertools.zip_longest(lock.entries(), map(entry, plan)):
        for mine, unmatched, others in ((old, locked, planned), (new, planned, locked)):
            if mine is None:
                continue
            twin = others.pop(mine["point"], None)
            if twin is None:
                unmatched[mine["point"]] = mine
            elif changed_keys(mine, twin):
                result.changed.append((twin, mine) if others is locked else (mine, twin))
    result.removed.extend(locked.values())
    result.added.extend(planned.values())
    return result


def changed_keys(one: Entry, other: Entry) -> list[str]:
    """Return the keys that differ between two entries of one point; durations are ignored."""
    return [key for key in ("exec", "env", "build", "image", "workdir") if one.get(key) != other.get(key)]


def _duration(measured: float | None, before: float | None) -> float | None:
    """Return the seconds to write: two digits of the measured ones, or those before if they are unknown or close."""
    if measured is None:
        return before
    if before is not None and before / UNCHANGED_WITHIN <= measured <= before * UNCHANGED_WITHIN:
        return before
    return float(f"{measured:.2g}")
