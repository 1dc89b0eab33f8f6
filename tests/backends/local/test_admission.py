"""Admission: which attempt starts when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.backends.local.protocol import Spawn
from runner.backends.local.supervisor.admission import Admission


def spawn(key: int, start_when_below: int | None, shape: int = 0) -> Spawn:
    return Spawn(
        key=key,
        name=str(key),
        command=[],
        env={},
        workdir=b"",
        stdout=b"",
        stderr=b"",
        mem=None,
        grace=0.0,
        shape=shape,
        start_when_below=start_when_below,
        preload=None,
    )


class Recorder:
    def __init__(self) -> None:
        self.started: list[int] = []
        self.admission = Admission(lambda spawn: self.started.append(spawn.key))


def test_attempt_without_a_condition_starts_at_once() -> None:
    recorder = Recorder()
    recorder.admission.submit(spawn(1, None))
    recorder.admission.submit(spawn(2, None))
    assert recorder.started == [1, 2]


def test_waiting_attempts_start_in_order_as_others_end() -> None:
    recorder = Recorder()
    recorder.admission.submit(spawn(1, None))
    for key in (2, 3):
        recorder.admission.submit(spawn(key, 1))
    assert recorder.started == [1]
    recorder.admission.release(1)
    assert recorder.started == [1, 2]
    recorder.admission.release(2)
    assert recorder.started == [1, 2, 3]
    assert not recorder.admission.waiting


def test_end_of_another_shape_starts_nothing() -> None:
    recorder = Recorder()
    recorder.admission.submit(spawn(1, None))
    recorder.admission.submit(spawn(2, None, shape=7))
    recorder.admission.submit(spawn(3, 1))
    recorder.admission.release(2)
    assert recorder.started == [1, 2]


def test_withdrawn_attempt_never_starts() -> None:
    recorder = Recorder()
    recorder.admission.submit(spawn(1, None))
    recorder.admission.submit(spawn(2, 1))
    recorder.admission.submit(spawn(3, 1))
    assert recorder.admission.withdraw(2)
    assert not recorder.admission.withdraw(1)
    recorder.admission.release(1)
    assert recorder.started == [1, 3]


@given(limit=st.integers(1, 4), ends=st.lists(st.integers(0, 3), max_size=40))
def test_never_more_than_the_limit_run_and_none_waits_in_vain(limit: int, ends: list[int]) -> None:
    """`limit` attempts run, each end is followed by a submission ahead; an end is chosen among those that run."""
    recorder = Recorder()
    for key in range(limit):
        recorder.admission.submit(spawn(key, None))
    ended: set[int] = set()
    for key, choice in enumerate(ends, limit):
        recorder.admission.submit(spawn(key, limit))
        running = sorted(set(recorder.started) - ended)
        ended.add(running[choice % limit])
        recorder.admission.release(running[choice % limit])
        assert len(set(recorder.started) - ended) == limit
    assert recorder.started == sorted(recorder.started)
