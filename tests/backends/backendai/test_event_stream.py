from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import trio
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.backendai import event_stream
from runner.backends.backendai.event_stream import SessionEvent

RECORDED = """\
: ping

event: kernel_terminated
data: {"reason": "task-finished", "sessionName": "ct-b0", "sessionId": "83fdc06b", "exitCode": -1, "clusterIdx": 1}

event: session_success
data: {"reason": "task-done", "sessionName": "ct-b0", "ownerAccessKey": "AKIA", "sessionId": "83fdc06b", "exitCode": 0}

data: {"sessionId": "no name"}

event: broken
data: {"sessionId":

event: no_data

event: other
data: [1]

: ping
event: session_failure
id: 7
data: {"sessionId": "x",
data:  "exitCode": null}

event: cut_off
data: {"sessionId": "y"}
"""


def parse(lines: Iterable[str]) -> list[SessionEvent]:
    async def source() -> AsyncIterator[str]:
        for line in lines:
            yield line

    async def collected() -> list[SessionEvent]:
        return [event async for event in event_stream.parse(source())]

    return trio.run(collected)


def test_recorded_stream() -> None:
    """Comments, malformed frames and an incomplete last frame are skipped."""
    assert parse(RECORDED.splitlines()) == [
        SessionEvent("kernel_terminated", "83fdc06b", "ct-b0", "task-finished", -1),
        SessionEvent("session_success", "83fdc06b", "ct-b0", "task-done", 0),
        SessionEvent("session_failure", "x", "", "", None),
    ]


@given(st.lists(st.text(st.sampled_from('abc:{}"[] \t0de'), max_size=20)))
def test_any_lines_are_accepted(lines: list[str]) -> None:
    parse(lines)
