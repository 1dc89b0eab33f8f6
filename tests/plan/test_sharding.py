"""Every session in exactly one shard, and the same one wherever it is asked."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.plan.plan import Plan
from runner.plan.selection import parse_selection
from runner.plan.sharding import Shard, balance, parse_shard

PlanText = Callable[[str], Plan]

SWEEP = """\
exec: [echo, $a, $b, $repeat]
ranges: {a: "range:20", b: [x, y, z]}
exclude: [{a: 3}]
include: [{a: 99, b: w}]
repeat: 2
"""


@pytest.mark.parametrize("extra", ["", "sample: {size: 31, seed: 5}\n", "files: [data]\n"])
@pytest.mark.parametrize("of", [1, 2, 7, 500])
def test_shards_partition_the_plan(plan_text: PlanText, tmp_path: Path, extra: str, of: int) -> None:
    """With and without a selection, and with unchanged indices."""
    (tmp_path / "data").write_text("1")
    plan = plan_text(SWEEP + extra)
    for select in (None, parse_selection("b=y,repeat=1", plan.sweep.space.names)):
        shards = [list(plan.sessions(select, Shard(number, of))) for number in range(1, of + 1)]
        together = sorted((session for shard in shards for session in shard), key=lambda session: session.index)
        assert together == list(plan.sessions(select))


def test_shard_does_not_depend_on_command_or_files(plan_text: PlanText) -> None:
    one, other = plan_text(SWEEP), plan_text(SWEEP.replace("echo", "printf"))
    assert [s.point for s in one.sessions(None, Shard(2, 3))] == [s.point for s in other.sessions(None, Shard(2, 3))]
    assert [s.id for s in one] != [s.id for s in other]


@given(
    st.dictionaries(st.integers(0, 2**64 - 1), st.sampled_from([0.0, 1.0, 2.5]) | st.floats(0, 1e6), max_size=60),
    st.integers(1, 9),
)
def test_balanced_shards_are_a_partition_within_the_bound(seconds: dict[int, float], of: int) -> None:
    assigned = balance(seconds.items(), of)
    assert assigned.keys() == seconds.keys()
    shuffled = list(seconds.items())
    random.Random(1).shuffle(shuffled)
    assert balance(shuffled, of) == assigned
    loads = [sum(seconds[point] for point, number in assigned.items() if number == n) for n in range(1, of + 1)]
    if seconds:  # the bound of the method, Graham 1969
        assert max(loads) <= sum(seconds.values()) / of + max(seconds.values()) + 1e-3
    for point in seconds:
        assert [Shard(n, of, assigned).has(f"{point:016x}") for n in range(1, of + 1)].count(True) == 1


def test_session_without_duration_goes_by_its_digest() -> None:
    shards = [Shard(number, 3, {5: 1, 6: 1}) for number in (1, 2, 3)]
    assert [shard.has(f"{5:016x}") for shard in shards] == [True, False, False]
    assert [shard.has(f"{7:016x}") for shard in shards] == [False, True, False]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "/", "a/b", "-1/2", "1/2/3", "1/ 2", "", "٢/٣", "1/2\n"])
def test_invalid_shard_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a shard"):
        parse_shard(text)


def test_shard_round_trip() -> None:
    assert str(parse_shard("2/4")) == "2/4"
