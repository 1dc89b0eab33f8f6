from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from runner.backends.backendai.rate_limit import JITTER, LONGEST_PAUSE, LONGEST_RETRY_AFTER, RateLimit


def pauses(answers: list[dict[str, str] | None]) -> list[float]:
    """Return how long each request after an answer had to wait. An answer is the headers of a 429, None for a success."""
    found: list[float] = []

    async def main() -> None:
        limit = RateLimit()
        for headers in answers:
            limit.accepted({}) if headers is None else limit.refused(headers)
            began = trio.current_time()
            await limit.wait()
            found.append(trio.current_time() - began)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return found


def test_pause_doubles_up_to_a_limit_and_is_reset_by_a_success() -> None:
    found = pauses([{}, {}, {}, {}, {}, {}, {}, None, {}])
    for pause, least in zip(found, [5, 10, 20, 40, 80, 120, 120, 0, 5], strict=True):
        assert least <= pause <= least + JITTER * LONGEST_PAUSE


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("0", 0), ("1e9", LONGEST_RETRY_AFTER), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)]
)
def test_retry_after_is_respected(text: str, seconds: float) -> None:
    [found] = pauses([{"retry-after": text}])
    assert seconds <= found <= seconds + JITTER * LONGEST_PAUSE


@pytest.mark.parametrize("text", ["soon", "", "Thu, 99 Foo"])
def test_unreadable_retry_after_is_ignored(text: str) -> None:
    [found] = pauses([{"retry-after": text}])
    assert found >= 5


def test_refusals_of_concurrent_requests_count_once() -> None:
    async def main() -> None:
        limit = RateLimit()
        for _ in range(16):
            limit.refused({})
        await limit.wait()
        assert trio.current_time() - began < 10

    began = 0.0

    async def timed() -> None:
        nonlocal began
        began = trio.current_time()
        await main()

    trio.run(timed, clock=MockClock(autojump_threshold=0))
