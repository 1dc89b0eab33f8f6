"""Collects the metrics of ended attempts, beside the event loop and in bounded time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runner.apply.metric_reader import Sources
from runner.apply.metrics_worker import TOO_SLOW
from runner.backends.local.procfs import MARK
from runner.config.metrics import JsonMetric, Metric, plain
from runner.model import Metrics, Missing, Value
from runner.scalars import metric_from

if TYPE_CHECKING:
    import trio

SECONDS = 10.0
"""Limit for one metric of one session."""

SHORTEST_SECONDS = 0.5
"""The limit of a metric halves each time it is reached, down to this. Sessions wait for each other: a pattern that is always
slow must not delay all of them."""

PATIENCE = 30.0
"""Seconds for an answer beyond all limits. A process that waits for a disk cannot be ended by a signal."""

TRIES = 2
"""How often the worker is started for one metric."""

_PROGRAM = "import sys; sys.path[:] = {path!r}; from runner.apply.metrics_worker import serve; serve()"


class Collector:
    """Collects metrics in a worker process; used as an async context, which starts and ends it.

    any: whether there are metrics. If not, `collect` need not be called: it lets other tasks run, 60 µs of CPU time.
    files: the names of the JSON files that the metrics are read from.
    """

    def __init__(self, metrics: Mapping[str, Metric], seconds: float = SECONDS) -> None:
        self.any = bool(metrics)
        self.files = {metric.file for metric in metrics.values() if isinstance(metric, JsonMetric)}
        self._metrics = metrics
        self._seconds = dict.fromkeys(metrics, seconds)
        self._process: trio.Process | None = None
        self._answers = b""

    async def __aenter__(self) -> Self:
        import trio

        self._turn = trio.Lock()
        if self._metrics:
            with suppress(OSError):  # tried again when there is something to collect
                self._process = await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def collect(self, sources: Sources, names: frozenset[str] | None = None) -> Metrics:
        """The metrics of an attempt; `names`: only these."""
        import trio

        wanted = [name for name in self._metrics if names is None or name in names]
        found: dict[str, Value | Missing] = {}
        async with self._turn:
            tries = TRIES
            while left := wanted[len(found) :]:
                answers, fault = [], "it does not answer"
                try:
                    with trio.move_on_after(PATIENCE + sum(self._seconds[name] for name in left)):
                        answers = await self._ask(left, sources)
                        fault = "it ended"
                except OSError as error:
                    fault = error.strerror or str(error)
                if answers:
                    tries = TRIES
                    found.update(zip(left, self._understood(answers, left), strict=False))
                    continue
                await self._end()
                tries -= 1
                if not tries:
                    found[left[0]] = Missing(f"the process that looks for it: {fault}", unread=True)
                    tries = TRIES
        return found

    def _understood(self, answers: list[Any], names: list[str]) -> Iterator[Value | Missing]:
        for answer, name in zip(answers, names, strict=False):
            if _is_too_slow(answer):
                seconds = self._seconds[name]
                self._seconds[name] = max(SHORTEST_SECONDS, seconds / 2)
                yield Missing(f"not found within {seconds:g} s")
            else:
                yield metric_from(answer)

    async def _ask(self, names: list[str], sources: Sources) -> list[Any]:
        """The answers for these metrics, in their order; fewer if one was too slow or the worker has ended."""
        import trio

        process = self._process = self._process or await self._start()
        assert process.stdin is not None
        metrics = [(plain(self._metrics[name]), self._seconds[name]) for name in names]
        answers: list[Any] = []
        try:
            await process.stdin.send_all(json.dumps([metrics, asdict(sources)]).encode() + b"\n")
            while len(answers) < len(names):
                answer = await self._answer(process)
                if answer is None:
                    break
                answers.append(json.loads(answer))
                if _is_too_slow(answers[-1]):
                    break
        except trio.BrokenResourceError:
            pass
        return answers

    async def _answer(self, process: trio.Process) -> bytes | None:
        """The next line of the worker, None if it has ended."""
        assert process.stdout is not None
        while b"\n" not in self._answers:
            received = await process.stdout.receive_some()
            if not received:
                return None
            self._answers += received
        answer, _, self._answers = self._answers.partition(b"\n")
        return answer

    async def _start(self) -> trio.Process:
        import trio

        self._answers = b""
        return await trio.lowlevel.open_process(
            [sys.executable, "-c", _PROGRAM.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, MARK: "metrics"},  # not an orphan of a session
        )

    async def _end(self) -> None:
        import trio

        if self._process is not None:
            process, self._process = self._process, None
            with trio.CancelScope(shield=True):
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        await stream.aclose()
                process.kill()
                await process.wait()


def _is_too_slow(answer: Any) -> bool:
    return isinstance(answer, dict) and TOO_SLOW in answer
