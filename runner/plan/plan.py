"""The plan: the sessions of a sweep, in order. Lazy, pure data; iterating it again gives the same sessions."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from runner.config.fields import Placed, amount
from runner.config.inputs import Inputs
from runner.config.sweep import REPEAT, Sweep
from runner.model import Amount, Recipe, Session, Value
from runner.plan import ids
from runner.plan.sharding import Shard
from runner.scalars import equal
from runner.space.axis import MAX_CACHED_POINTS, Condition, Point
from runner.template.template import Template

MAX_KEPT_REPEATS = 1000
"""More repetitions are made one by one: kept in a list they would take most of the memory of an apply."""


class PlannedPoint(NamedTuple):
    """A session before its templates are rendered."""

    index: int  # type: ignore[assignment]  # tuple has a method of this name
    """The position in the whole plan, from 0."""
    id: str
    point: str
    """The digest of the variables."""
    repeat: int
    params: Mapping[str, Value]
    repeat_value: Value
    """The value of `$repeat`."""


@dataclass(frozen=True)
class Plan:
    """The sessions of a sweep. `for session in plan` renders them one by one."""

    sweep: Sweep
    recipe: Recipe
    inputs: Inputs | None = None
    """The files whose content the recipe has; None if they were not read for this plan."""

    @classmethod
    def of(cls, sweep: Sweep) -> Plan:
        """Digest the inputs. Raises InvalidInput if a file of `files` cannot be read."""
        inputs = Inputs.read(sweep)
        return cls(sweep, ids.recipe(_parts(sweep, inputs.digests)), inputs)

    @cached_property
    def count(self) -> int:
        """The number of sessions, computed without iterating."""
        points = self.sweep.space.count
        if self.sweep.sample is not None:
            points = min(points, self.sweep.sample.size)
        return points * self.sweep.repeat

    def __iter__(self) -> Iterator[Session]:
        return self.sessions()

    def sessions(
        self, select: Condition | None = None, shard: Shard | None = None, among: Container[Point] | None = None
    ) -> Iterator[Session]:
        """Yield the sessions in order: all, or those with the selected values, of all shards or of one.

        `among` replaces `select`: only these points are yielded, and no ids are computed for the others.
        """
        return map(_Renderer(self.sweep), self.points(select, shard, among))

    def renderer(self) -> Callable[[PlannedPoint], Session]:
        """Return a function that renders a point of `points`."""
        return _Renderer(self.sweep)

    def points(
        self, select: Condition | None = None, shard: Shard | None = None, among: Container[Point] | None = None
    ) -> Iterator[PlannedPoint]:
        """Yield the points of `sessions(select, shard, among)` without rendering them, in half the time."""
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
        """Return a function from a value of the variable to its digest fragment, cached unless the axis is very long."""
        axis = next(axis for axis in self.sweep.space.axes if name in axis.names)
        if axis.count > MAX_CACHED_POINTS:
            return lambda value: ids.fragment(name, value)
        known = {value: ids.fragment(name, value) for value in self.sweep.space.values_of(name)}
        return known.__getitem__

    def _sampled(self, by_name: list[tuple[Callable[[Value], str], int]]) -> frozenset[int] | None:
        """Return the positions of the points that `sample` keeps, None for all."""
        sample = self.sweep.sample
        if sample is None or sample.size >= self.sweep.space.count:
            return None

        def key(values: Point) -> bytes:
            parts = [fragment(values[at]) for fragment, at in by_name]
            return ids.sample_key(sample.seed, parts)

        keyed = ((key(values), position) for position, values in enumerate(self.sweep.space))
        return frozenset(position for _, position in heapq.nsmallest(sample.size, keyed))


class _Repeats:
    """The repetitions and their values; kept in a list up to MAX_KEPT_REPEATS."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept = list(self._all()) if count <= MAX_KEPT_REPEATS else None

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        return iter(self._kept) if self._kept is not None else self._all()

    def _all(self) -> Iterator[tuple[int, Value]]:
        return ((repeat, Value(str(repeat), repeat)) for repeat in range(self._count))


def _selector(select: Condition, names: tuple[str, ...]) -> Callable[[Point], bool] | None:
    wanted = [(at, select[name]) for at, name in enumerate(names) if name in select]
    if not wanted:
        return None
    return lambda values: all(equal(values[at], value) for at, value in wanted)


def _parts(sweep: Sweep, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the recipe as plain JSON data, without absent and default parts."""
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
        parts["files"] = digests
    return parts


Fill: TypeAlias = Callable[[Mapping[str, Value]], str]


class _Renderer:
    """Renders sessions. Prepared once for a sweep, because a plan can have millions: a constant template is rendered once."""

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
