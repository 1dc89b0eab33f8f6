"""One sweep over several CI jobs: which of them runs which session, decided the same way in every one of them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runner.errors import InvalidInput

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})\Z", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `of` parts of a sweep, from 1. A session is told by its point, the digest of its variables, so that
    other input files or another command leave it where it is.

    `assigned` maps points, as integers, to the shard that has them; all others go by the digest itself, evenly.
    """

    number: int
    of: int
    assigned: Mapping[int, int] = field(default_factory=dict, repr=False)

    def has(self, point: str) -> bool:
        key = int(point, 16)
        return self.assigned.get(key, key % self.of + 1) == self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """`2/4`. Raises InvalidInput."""
    found = _SHARD.match(text)
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of:
        raise InvalidInput(f"`{text}` is no shard", "`--shard 2/4` is the second of four")
    return Shard(number, of)


def balance(seconds: Iterable[tuple[int, float]], of: int) -> dict[int, int]:
    """Points and how long their sessions take, spread so that all shards take about as long: the longest one first, each to
    the shard that has least so far. The order in which they are given means nothing.
    """
    loads = [(0.0, number) for number in range(1, of + 1)]
    assigned: dict[int, int] = {}
    for point, duration in sorted(seconds, key=lambda one: (-one[1], one[0])):
        load, number = loads[0]
        assigned[point] = number
        heapq.heapreplace(loads, (load + duration, number))
    return assigned
