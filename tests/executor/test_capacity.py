from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.executor.capacity import Capacity, Lease
from runner.model import Amount, Resources

GIB = 1024**3


class OtherRunner:
    """Device locks of which another process holds some."""

    def __init__(self, *held: str) -> None:
        self.held = set(held)
        self.ours: set[str] = set()

    def try_lock(self, device: str) -> bool:
        if device in self.held:
            return False
        assert device not in self.ours
        self.ours.add(device)
        return True

    def unlock(self, device: str) -> None:
        self.ours.remove(device)

    def holder(self, device: str) -> str:
        return f"the holder of {device}"


def taken(capacity: Capacity, resources: Resources) -> Lease:
    lease = capacity.take(resources)
    assert lease is not None
    return lease


def test_takes_until_nothing_is_left_and_again_after_a_release() -> None:
    capacity = Capacity({"cpu": 4, "mem": 8 * GIB})
    first = taken(capacity, {"cpu": 3, "mem": GIB})
    assert capacity.take({"cpu": 2}) is None
    taken(capacity, {"cpu": 1})
    assert capacity.in_use == {"cpu": 4, "mem": GIB}
    capacity.release(first)
    taken(capacity, {"cpu": 3})


def test_amounts_are_exact() -> None:
    capacity = Capacity({"cpu": 1})
    for _ in range(10):
        taken(capacity, {"cpu": Fraction(1, 10)})
    assert capacity.full
    assert capacity.take({"cpu": Fraction(1, 10**9)}) is None


def test_a_resource_that_no_capacity_names_does_not_limit() -> None:
    capacity = Capacity({"license": 1})
    taken(capacity, {"cpu": 1000, "license": 1})
    taken(capacity, {"cpu": 1000})
    assert capacity.take({"license": 1}) is None


def test_a_session_without_cpu_counts_as_one() -> None:
    capacity = Capacity({"cpu": 2})
    taken(capacity, {})
    taken(capacity, {})
    assert capacity.take({}) is None
    taken(capacity, {"cpu": 0})


def test_a_session_without_cpu_fits_a_container_with_half_a_cpu() -> None:
    capacity = Capacity({"cpu": Fraction(1, 2)})
    assert capacity.fits_ever({}) is None
    taken(capacity, {})
    assert capacity.full


def test_max_parallel_counts_sessions_instead_of_implied_cpus() -> None:
    capacity = Capacity({"cpu": 2}, max_parallel=3)
    taken(capacity, {})
    taken(capacity, {"cpu": 2})
    assert capacity.take({"cpu": 1}) is None
    taken(capacity, {})
    assert capacity.full
    assert capacity.take({}) is None


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ({"cpu": 8}, None),
        ({"cpu": 12}, "needs 12 cpu, there are 8"),
        ({"mem": 16 * GIB}, "needs 16 GiB mem, there is 8.5 GiB"),
        ({"license": 2}, "needs 2 license, there is 1"),
        ({"cpu": Fraction(17, 2)}, "needs 8.5 cpu, there are 8"),
        ({"gpu": 3}, "needs 3 gpu, there are 2"),
        ({"gpu": Fraction(3, 2)}, "needs 1.5 gpu, which is neither whole nor a part of one device"),
        ({"tpu": 5}, None),
    ],
)
def test_what_can_never_fit_has_a_reason(needs: Resources, reason: str | None) -> None:
    capacity = Capacity({"cpu": 8, "mem": 8 * GIB + GIB // 2, "license": 1}, devices=["0", "1"])
    assert capacity.fits_ever(needs) == reason
    assert (capacity.take(needs) is None) == (reason is not None)


def test_gpus_go_out_by_name() -> None:
    capacity = Capacity({}, devices=["0", "1", "2"])
    assert taken(capacity, {"gpu": 2}).devices == ("0", "1")
    assert taken(capacity, {"gpu": 1}).devices == ("2",)
    assert capacity.take({"gpu": 1}) is None
    assert taken(capacity, {}).devices == ()


def test_a_smaller_limit_leaves_the_choice_of_devices() -> None:
    capacity = Capacity({"gpu": 1}, devices=["0", "1"], locks=OtherRunner("0"))
    assert taken(capacity, {"gpu": 1}).devices == ("1",)
    assert capacity.take({"gpu": 1}) is None


def test_gpus_without_devices_are_counted_only() -> None:
    capacity = Capacity({"gpu": 2})
    assert taken(capacity, {"gpu": Fraction(3, 2)}).devices == ()
    assert capacity.take({"gpu": 1}) is None


def test_fractions_fill_one_device_before_they_open_the_next() -> None:
    capacity = Capacity({}, devices=["0", "1"])
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    first = taken(capacity, {"gpu": half})
    assert taken(capacity, {"gpu": quarter}).devices == ("0",)
    assert taken(capacity, {"gpu": half}).devices == ("1",)
    assert taken(capacity, {"gpu": quarter}).devices == ("0",), "the fuller one"
    capacity.release(first)
    assert capacity.take({"gpu": 1}) is None, "half of 0 and half of 1 are no device"
    assert taken(capacity, {"gpu": half}).devices == ("0",)


def test_a_device_of_another_runner_is_left_alone_until_it_is_free() -> None:
    locks = OtherRunner("0")
    capacity = Capacity({}, devices=["0", "1"], locks=locks)
    assert capacity.take({"gpu": 2}) is None
    assert locks.ours == set(), "what was locked for nothing is free for others"
    assert capacity.contended == {"0"}
    assert capacity.contention == "gpu 0 is in use by the holder of 0"
    assert capacity.lacking({"gpu": 2}) == "gpu"
    assert capacity.lacking({"gpu": 1}) is None
    lease = taken(capacity, {"gpu": Fraction(1, 2)})
    assert lease.devices == ("1",)
    capacity.release(lease)
    locks.held.clear()
    assert taken(capacity, {"gpu": 2}).devices == ("0", "1")
    assert capacity.contended == set()
    assert capacity.contention is None


amounts = st.one_of(st.integers(0, 3), st.fractions(0, 3, max_denominator=6))
parts = st.one_of(st.integers(0, 3), st.fractions(0, 1, max_denominator=6))
needs = st.fixed_dictionaries({}, optional={"cpu": amounts, "mem": amounts, "gpu": parts, "tpu": amounts})
steps = st.lists(st.one_of(needs, st.integers(0, 20)), max_size=40)


@given(steps, st.none() | st.integers(1, 4), st.lists(st.sampled_from("abc"), unique=True), st.data())
def test_never_over_a_limit_and_release_restores(
    steps: list[Resources | int], max_parallel: int | None, names: Sequence[str], data: st.DataObject
) -> None:
    """A step takes what a mapping says, or gives back the n-th lease; then every limit is checked."""
    limits: dict[str, Amount] = {"cpu": 4, "mem": Fraction(7, 2)}
    locks = OtherRunner(*data.draw(st.sets(st.sampled_from(names)) if names else st.just(set())))
    capacity = Capacity(limits, max_parallel, names, locks)
    empty = dict(capacity.in_use)
    leases: list[tuple[Resources, Lease]] = []
    for step in steps:
        if isinstance(step, int):
            if leases:
                capacity.release(leases.pop(step % len(leases))[1])
        elif (lease := capacity.take(step)) is not None:
            assert capacity.fits_ever(step) is None
            leases.append((step, lease))
        for name, limit in limits.items():
            assert sum(resources.get(name, 0) for resources, _ in leases) <= limit
        assert max_parallel is None or len(leases) <= max_parallel
        used = {name: [lease.share for _, lease in leases if name in lease.devices] for name in names}
        assert all(sum(shares) <= 1 for shares in used.values())
        assert locks.ours == {name for name, shares in used.items() if shares}
        for resources, lease in leases:
            gpu = resources.get("gpu", 0)
            assert lease.share * len(lease.devices) == (gpu if names else 0)
            assert len(set(lease.devices)) == len(lease.devices)
    for _, lease in leases:
        capacity.release(lease)
    assert capacity.in_use == empty
    assert locks.ours == set()
