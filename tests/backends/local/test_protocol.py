"""Frames and messages between backend and supervisor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.local.protocol import (
    Cancel,
    Configure,
    Crashed,
    Ended,
    Frames,
    NotForked,
    Refused,
    Spawn,
    Spawned,
    decode,
    encode,
    frame,
)

MESSAGES = [
    Configure(environ={b"PATH": b"/bin"}, memory_method=None),
    Spawn(
        key=1,
        name="a",
        command=[b"true"],
        env={b"X": b"\xff"},
        workdir=b"/",
        stdout=b"out",
        stderr=b"err",
        mem=1 << 40,
        grace=0.5,
        shape=-(1 << 62),
        start_when_below=None,
        preload=[b"json"],
    ),
    Cancel(key=1, grace=10.0),
    NotForked(key=1, reason="é"),
    Spawned(key=1, pid=2, at=1.5),
    Refused(key=1, reason="no"),
    Ended(key=1, code=-9, drained=False),
    Crashed(traceback="Traceback\n"),
]


@given(
    contents=st.lists(st.tuples(st.integers(), st.binary(max_size=300), st.none() | st.text())),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_frames_are_whole_wherever_the_stream_is_cut(contents: list[tuple[object, ...]], sizes: list[int]) -> None:
    stream, frames, turn = b"".join(map(frame, contents)), Frames(), 0
    out: list[tuple[object, ...]] = []
    while stream:
        size = sizes[turn % len(sizes)]
        turn += 1
        out += frames.feed(stream[:size])
        stream = stream[size:]
    assert out == contents


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_message_is_the_same_after_the_stream(message: object) -> None:
    [decoded] = map(decode, Frames().feed(encode(message)))
    assert type(decoded) is type(message)
    assert decoded == message
