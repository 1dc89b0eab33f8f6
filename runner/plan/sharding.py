"""Shards: which of several CI jobs runs which session. Each job decides it alone, with the same result."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runner.errors import InvalidInput

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})\Z", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One of N parts of a sweep.

    The shard of a session depends on its point, the digest of its variables: a changed command or input file does not move
    it. Points without an assignment are distributed evenly by the digest.
    """

    number: int
    """Which part, from 1."""
    of: int
    """The number of parts."""
    assigned: Mapping[int, int] = field(default_factory=dict, repr=False)
    """Points, as integers, and the numbers of their shards."""

    def has(self, point: str) -> bool:
        """Return whether the shard has the session of this point (16 hex digits)."""
        key = int(point, 16)
        return self.assigned.get(key, key % self.of + 1) == self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Return the shard that a text such as `2/4` names. Raises InvalidInput."""
    match = _SHARD.match(text)
    number, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= of:
        raise InvalidInput(f"`{text}` is not a shard", "`--shard 2/4` is the second of four")
    return Shard(number, of)


def balance(seconds: Iterable[tuple[int, float]], of: int) -> dict[int, int]:
    """Distribute points with known durations over `of` shards; return the shard of each point.

    Longest processing time first: each point, the longest first, goes to the shard with the least total so far. The order
    of `seconds` does not matter.
    """
    loads = [(0.0, number) for number in range(1, of + 1)]
    assigned: dict[int, int] = {}
    for point, duration in sorted(seconds, key=lambda one: (-one[1], one[0])):
        load, number = loads[0]
        assigned[point] = number
        heapq.heapreplace(loads, (load + duration, number))
    return assigned
