"""Collects metrics outside of the event loop, in bounded time.

A regular expression holds Python's interpreter lock while it runs. Patterns come from the user: one that backtracks without
end must not keep runner from handling signals. So they run in a process of their own, which is started for the first one,
and killed when an answer takes too long. As a program, this module is that process: a line of JSON for each request and
each answer.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.config.metrics import JsonMetric, LastLineMetric, Metric, RegexMetric, collect
from runner.model import Scalar

if TYPE_CHECKING:
    import trio

SECONDS = 10.0
"""Limit for the metrics of one session."""

SHORTEST_SECONDS = 0.5
"""The limit halves each time it is reached, down to this."""

TRIES = 2
"""How often a search is tried if its process is killed from outside."""

_KINDS = {kind.__name__: kind for kind in (JsonMetric, LastLineMetric, RegexMetric)}


class Collector:
    """Collects the metrics of sessions; used as an async context. `seconds` bounds each call."""

    def __init__(self, metrics: Mapping[str, Metric], seconds: float = SECONDS) -> None:
        self._metrics = metrics
        self._seconds = seconds
        self._apart = any(isinstance(metric, RegexMetric) for metric in metrics.values())
        self._process: trio.Process | None = None
        self._answers = b""

    async def __aenter__(self) -> Self:
        import trio

        self._turn = trio.Lock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def collect(self, output: Path, stdout: Path) -> Mapping[str, Scalar]:
        """The value of each metric; a message if it could not be found in time."""
        import trio

        if not self._metrics:
            return {}
        if not self._apart:
            return await trio.to_thread.run_sync(collect, self._metrics, output, stdout)
        async with self._turn:
            seconds = self._seconds
            for _ in range(TRIES):
                with trio.move_on_after(seconds) as limit:
                    found = await self._ask(output, stdout)
                    if found is not None:
                        return found
                await self._end()
                if limit.cancelled_caught:
                    # Sessions wait for each other: a pattern that is always slow must not delay all of them.
                    self._seconds = max(SHORTEST_SECONDS, self._seconds / 2)
                    return dict.fromkeys(self._metrics, f"not found within {seconds:g} s")
        return dict.fromkeys(self._metrics, "not found: the process that searched for it died")

    async def _ask(self, output: Path, stdout: Path) -> Mapping[str, Scalar] | None:
        """The answer of the process; None if it has died."""
        import trio

        if self._process is None:
            program = f"import sys; sys.path[:] = {sys.path!r}; from runner.apply.metrics_worker import serve; serve()"
            self._process = await trio.lowlevel.open_process(
                [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._answers = b""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        metrics = [(name, type(metric).__name__, asdict(metric)) for name, metric in self._metrics.items()]
        request = json.dumps([metrics, str(output), str(stdout)])
        try:
            await self._process.stdin.send_all(request.encode() + b"\n")
            while b"\n" not in self._answers:
                received = await self._process.stdout.receive_some()
                if not received:
                    return None
                self._answers += received
        except trio.BrokenResourceError:
            return None
        answer, _, self._answers = self._answers.partition(b"\n")
        found: dict[str, Scalar] = json.loads(answer)
        return found

    async def _end(self) -> None:
        import trio

        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        await stream.aclose()


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin.buffer:
        metrics, output, stdout = json.loads(line)
        specified: dict[str, Metric] = {name: _KINDS[kind](**fields) for name, kind, fields in metrics}
        signal.alarm(int(2 * SECONDS))  # ends an endless search even if runner has died
        found = collect(specified, Path(output), Path(stdout))
        signal.alarm(0)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
