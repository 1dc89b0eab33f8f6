"""The lock of a sweep, `NAME.lock.json` beside its file: what was to run when somebody last looked, for review and for CI.

It holds what a session's id digests, but for the content of `files`: variables and rendered texts, one line a session in plan
order, so that git shows an edit of the file as the sessions that it adds, removes and changes. `seconds` is how long a session
once took: shards are balanced by it. The shape is `schemas/lock.schema.json`; the lines are as written here, so that a lock of
a million sessions is read one by one.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from runner.errors import InvalidInput
from runner.model import Session
from runner.plan.plan import Plan

VERSION = 1

STEADY = 1.25
"""A duration stays as it is in the lock until it is off by more than this factor: a lock must not change with the weather."""

_encode = json.JSONEncoder(ensure_ascii=False).encode
_REWRITE = "`runner plan --lock` writes it anew"

Entry: TypeAlias = Mapping[str, Any]
"""One session as its line has it: `point`, `repeat`, `params`, what is rendered, and `seconds`."""


@dataclass
class Difference:
    """How a plan differs from its lock. `shared` names what differs for all sessions alike."""

    shared: list[str] = field(default_factory=list)
    added: list[Entry] = field(default_factory=list)
    removed: list[Entry] = field(default_factory=list)
    changed: list[tuple[Entry, Entry]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.shared or self.added or self.removed or self.changed)


def entry(session: Session, seconds: float | None = None) -> Entry:
    """What the lock holds of a session."""
    found: dict[str, Any] = {
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
    return {key: value for key, value in found.items() if key in ("point", "params") or value not in (None, 0, {})}


class Lock:
    """A lock as it lies on the disk. Raises InvalidInput where it is not as `plan --lock` writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def header(self) -> dict[str, Any]:
        """What stands before the sessions: `version`, `sweep`, `count`, and `code` where the sweep has it."""
        with self._opened() as file:
            lines = itertools.takewhile(lambda line: line.strip() != '"sessions": [', file)
            found = self._parsed("".join(lines).rstrip().rstrip(",") + "}")
        if found.get("version") != VERSION or not isinstance(found.get("count"), int):
            raise self._strange()
        return found

    def entries(self) -> Iterator[Entry]:
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
                    raise self._strange()
                missing -= 1
                yield found
        raise self._strange()

    def durations(self) -> Iterator[tuple[int, float]]:
        """Points, as integers, and seconds, of the sessions whose duration is known."""
        for one in self.entries():
            if "seconds" in one:
                try:
                    yield int(one["point"], 16), float(one["seconds"])
                except (TypeError, ValueError):
                    raise self._strange() from None

    def _opened(self) -> Any:
        try:
            return self.path.open(encoding="utf-8")
        except FileNotFoundError:
            raise InvalidInput(f"there is no `{self.path.name}`", "`runner plan --lock` writes it") from None

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            raise self._strange() from None
        if not isinstance(found, dict):
            raise self._strange()
        return found

    def _strange(self) -> InvalidInput:
        return InvalidInput(f"`{self.path.name}` is not as `runner plan --lock` writes it", _REWRITE)


def write(
    path: Path, plan: Plan, seconds: Callable[[Iterable[Session]], Iterator[tuple[Session, float | None]]]
) -> None:
    """Write the lock of a plan, whole or not at all. `seconds` goes with each session, None where nobody knows; then what an
    earlier lock says of it stays.
    """
    before: dict[int, float] = {}
    if path.exists():
        try:
            before = dict(Lock(path).durations())
        except InvalidInput:
            before = {}  # it is about to be written anew
    header: dict[str, Any] = {"version": VERSION, "sweep": plan.sweep.name, "count": plan.count}
    if plan.sweep.code is not None:
        header["code"] = plan.sweep.code
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("{\n" + "".join(f"{_encode(key)}: {_encode(value)},\n" for key, value in header.items()))
            file.write('"sessions": [\n')
            # The comma stands before a line, so that sessions that come last are lines added and no line changed.
            for comma, (session, known) in zip(
                itertools.chain([""], itertools.repeat(",")), seconds(plan), strict=False
            ):
                file.write(f"{comma}{_encode(entry(session, _steady(known, before.get(int(session.point, 16)))))}\n")
            file.write("]}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def difference(lock: Lock, plan: Plan) -> Difference:
    """What of the plan is not as the lock has it; where sessions stand means nothing. Holds what differs, and for a while what
    stands elsewhere.
    """
    found = Difference()
    if lock.header().get("code") != plan.sweep.code:
        found.shared.append("code")
    before: dict[str, Entry] = {}
    after: dict[str, Entry] = {}
    for one, other in itertools.zip_longest(lock.entries(), map(entry, plan)):
        for mine, these, those in ((one, before, after), (other, after, before)):
            if mine is None:
                continue
            twin = those.pop(mine["point"], None)
            if twin is None:
                these[mine["point"]] = mine
            elif changed_keys(mine, twin):
                found.changed.append((twin, mine) if those is before else (mine, twin))
    found.removed.extend(before.values())
    found.added.extend(after.values())
    return found


def changed_keys(one: Entry, other: Entry) -> list[str]:
    """What differs between two entries of one point, durations aside."""
    return [key for key in ("exec", "env", "build", "image", "workdir") if one.get(key) != other.get(key)]


def _steady(known: float | None, before: float | None) -> float | None:
    if known is None:
        return before
    if before is not None and before / STEADY <= known <= before * STEADY:
        return before
    return float(f"{known:.2g}")
