"""The plan: the sessions of a sweep, in order. Lazy, pure data; iterating it again gives the same sessions."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from runner.config import files
from runner.config.fields import Placed, amount
from runner.config.sweep import REPEAT, Sweep
from runner.diagnostics import nearest
from runner.errors import InvalidInput
from runner.model import Amount, Recipe, Session, Value
from runner.plan import ids
from runner.plan.sharding import Shard
from runner.scalars import equal, resolve
from runner.space.axis import MAX_CACHED_POINTS, Condition, Point
from runner.template.template import Template

KEPT_REPEATS = 1000
"""More of them take longer to walk than to make, and would be most of what an apply holds."""


class PlannedPoint(NamedTuple):
    """A session before its templates are rendered. `repeat_value` is what `$repeat` renders as."""

    index: int  # type: ignore[assignment]  # a name that tuples have, too
    id: str
    point: str
    repeat: int
    params: Mapping[str, Value]
    repeat_value: Value


@dataclass(frozen=True)
class Plan:
    """`for session in plan` walks it; `count` knows how many there are without walking."""

    sweep: Sweep
    recipe: Recipe

    @classmethod
    def of(cls, sweep: Sweep) -> Plan:
        """Digest the inputs and fix the recipe. Raises InvalidInput where a file of `files` cannot be read."""
        return cls(sweep, ids.recipe(_parts(sweep)))

    @cached_property
    def count(self) -> int:
        points = self.sweep.space.count
        if self.sweep.sample is not None:
            points = min(points, self.sweep.sample.size)
        return points * self.sweep.repeat

    def __iter__(self) -> Iterator[Session]:
        return self.sessions()

    def sessions(
        self, select: Condition | None = None, shard: Shard | None = None, among: Container[Point] | None = None
    ) -> Iterator[Session]:
        """The sessions, or those that have the selected values, of all shards or of one; an index is the place in the whole
        plan. `among`, instead of `select`, leaves out all other points before their ids are computed.
        """
        return map(_Renderer(self.sweep), self.points(select, shard, among))

    def renderer(self) -> Callable[[PlannedPoint], Session]:
        """Makes a session of a point that `points` gave."""
        return _Renderer(self.sweep)

    def points(
        self, select: Condition | None = None, shard: Shard | None = None, among: Container[Point] | None = None
    ) -> Iterator[PlannedPoint]:
        """What `sessions` renders: the same points in the same order, for half the time."""
        names = self.sweep.space.names
        order = sorted(range(len(names)), key=names.__getitem__)
        by_name = [(self._fragments(names[at]), at) for at in order]
        repeats = _Repeats(self.sweep.repeat)
        selected = _selector(select or {}, names) if among is None else among.__contains__
        wanted_repeat = (select or {}).get(REPEAT)
        chosen = self._sampled(by_name)
        index = 0
        for position, values in enumerate(self.sweep.space):
            if chosen is not None and position not in chosen:
                continue
            if selected is not None and not selected(values):
                index += self.sweep.repeat
                continue
            fragments = ids.joined([fragment(values[at]) for fragment, at in by_name])
            params = dict(zip(names, values, strict=True))
            for repeat, repeat_value in repeats:
                if wanted_repeat is None or equal(repeat_value, wanted_repeat):
                    point = ids.point(repeat, fragments)
                    if shard is None or shard.has(point):
                        yield PlannedPoint(
                            index, ids.session_id(self.recipe, point), point, repeat, params, repeat_value
                        )
                index += 1

    def _fragments(self, name: str) -> Callable[[Value], str]:
        """Digest input of one variable's values, made once for each value where there are not too many."""
        axis = next(axis for axis in self.sweep.space.axes if name in axis.names)
        if axis.count > MAX_CACHED_POINTS:
            return lambda value: ids.fragment(name, value)
        known = {value: ids.fragment(name, value) for value in self.sweep.space.values_of(name)}
        return known.__getitem__

    def _sampled(self, by_name: list[tuple[Callable[[Value], str], int]]) -> frozenset[int] | None:
        """Positions of the points that `sample` keeps; None: all."""
        sample = self.sweep.sample
        if sample is None or sample.size >= self.sweep.space.count:
            return None

        def key(values: Point) -> bytes:
            parts = [fragment(values[at]) for fragment, at in by_name]
            return ids.sample_key(sample.seed, parts)

        keyed = ((key(values), position) for position, values in enumerate(self.sweep.space))
        return frozenset(position for _, position in heapq.nsmallest(sample.size, keyed))


class _Repeats:
    """The repetitions and their values, kept while there are not too many."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept = list(self._all()) if count <= KEPT_REPEATS else None

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        return iter(self._kept) if self._kept is not None else self._all()

    def _all(self) -> Iterator[tuple[int, Value]]:
        return ((repeat, Value(str(repeat), repeat)) for repeat in range(self._count))


def parse_selection(text: str, names: Iterable[str]) -> dict[str, Value]:
    """`lr=0.1,seed=3` as a condition. Raises InvalidInput for what is not `NAME=VALUE` of a known variable."""
    known = [*names, REPEAT]
    condition: dict[str, Value] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise InvalidInput(f"`{part}` is not `NAME=VALUE`", "select by variables: `lr=0.1,seed=3`")
        if name.strip() not in known:
            near = nearest(name.strip(), known)
            raise InvalidInput(
                f"unknown variable `{name.strip()}`",
                f"did you mean `{near}`?" if near else f"this sweep has {', '.join(f'`{one}`' for one in known)}",
            )
        condition[name.strip()] = Value(value, resolve(value))
    return condition


def _selector(select: Condition, names: tuple[str, ...]) -> Callable[[Point], bool] | None:
    wanted = [(at, select[name]) for at, name in enumerate(names) if name in select]
    if not wanted:
        return None
    return lambda values: all(equal(values[at], value) for at, value in wanted)


def _parts(sweep: Sweep) -> dict[str, Any]:
    """The recipe as plain JSON data, absent and default parts left out."""
    parts: dict[str, Any] = {}
    if sweep.shell is not None:
        parts["exec"] = {"shell": sweep.shell.template.canonical()}
    elif sweep.argv is not None:
        parts["exec"] = [placed.template.canonical() for placed in sweep.argv]
    else:
        parts["code"] = sweep.code
    if sweep.env:
        parts["env"] = {name: placed.template.canonical() for name, placed in sweep.env.items()}
    for key, placed in (("build", sweep.build), ("image", sweep.image), ("workdir", sweep.workdir)):
        if placed is not None and not (key == "workdir" and placed.text == "."):
            parts[key] = placed.template.canonical()
    if sweep.python is not None and sweep.python.interpreter is not None:
        parts["python"] = sweep.python.interpreter.value.text
    if sweep.files:
        parts["files"] = files.digests(sweep)
    return parts


Fill: TypeAlias = Callable[[Mapping[str, Value]], str]


class _Renderer:
    """A sweep's templates, ready to be filled in a million times: what has no variable is rendered once."""

    def __init__(self, sweep: Sweep) -> None:
        self._shell = _filler(sweep.shell) if sweep.shell else None
        self._argv = None if sweep.argv is None else [_filler(placed) for placed in sweep.argv]
        self._env = [(name, _filler(placed)) for name, placed in sweep.env.items()]
        self._build = _filler(sweep.build) if sweep.build else None
        self._workdir = _filler(sweep.workdir) if sweep.workdir else None
        self._image = _filler(sweep.image) if sweep.image else None
        self._resources = [(name, _filler(placed)) for name, placed in sweep.resources.items()]
        self._amounts: dict[tuple[str, ...], dict[str, Amount]] = {}

    def __call__(self, planned: PlannedPoint) -> Session:
        index, session_id, point, repeat, params, repeat_value = planned
        values = {**params, REPEAT: repeat_value}
        command: str | tuple[str, ...] | None = None
        if self._argv is not None:
            command = tuple([fill(values) for fill in self._argv])
        elif self._shell is not None:
            command = self._shell(values)
        return Session(
            index,
            session_id,
            point,
            repeat,
            params,
            command,
            {name: fill(values) for name, fill in self._env},
            self._build(values) if self._build else None,
            self._workdir(values) if self._workdir else ".",
            self._image(values) if self._image else None,
            self._amounts_of(values),
        )

    def _amounts_of(self, values: Mapping[str, Value]) -> Mapping[str, Amount]:
        texts = tuple([fill(values) for _, fill in self._resources])
        known = self._amounts.get(texts)
        if known is None:
            known = {
                name: amount(name, Value(text, text)) for (name, _), text in zip(self._resources, texts, strict=True)
            }
            if len(self._amounts) < MAX_CACHED_POINTS:
                self._amounts[texts] = known
        return known


def _filler(placed: Placed) -> Fill:
    if not placed.template.names:
        constant = placed.template.render({})
        return lambda _: constant
    alone = placed.template.alone if isinstance(placed.template, Template) else None
    if alone is not None:
        return lambda values: values[alone].text
    return placed.template.render
