"""Metrics are collected beside the event loop, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Mapping
from pathlib import Path

import trio

from runner.apply.collector import TRIES, Collector
from runner.apply.metric_reader import MAX_JSON_SIZE, Sources
from runner.apply.metrics_worker import MEMORY
from runner.config.metrics import JsonMetric, LastLineMetric, Metric, RegexMetric
from runner.model import Metrics, Missing, Value
from tests.processes import children, wait_for

SLOW = RegexMetric("x*y")
"""Takes quadratic time in loops of `re` that do not look at signals."""


def sources(folder: Path) -> Sources:
    return Sources(str(folder), str(folder / "log"), str(folder / "err"), str(folder.parent))


def collect(metrics: Mapping[str, Metric], folder: Path, seconds: float = 60) -> Metrics:
    async def main() -> Metrics:
        async with Collector(metrics, seconds) as collector:
            return await collector.collect(sources(folder))

    return trio.run(main)


def test_every_metric_in_order(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"a": {"b": 1.5}}')
    (tmp_path / "log").write_text('acc=1\nacc=1.10\n{"n": 7}\n')
    metrics: dict[str, Metric] = {
        "none": RegexMetric("x=(.*)"),
        "b": JsonMetric("m.json", "a.b"),
        "acc": RegexMetric("acc=(.*)"),
        "n": LastLineMetric("n"),
    }

    async def main() -> None:
        async with Collector(metrics) as collector:
            for _ in range(3):
                found = await collector.collect(sources(tmp_path))
                assert list(found.items()) == [
                    ("none", Missing("no match on stdout")),
                    ("b", Value("1.5", 1.5)),
                    ("acc", Value("1.10", 1.1)),
                    ("n", Value("7", 7)),
                ]
            assert list(await collector.collect(sources(tmp_path), frozenset(("n", "b")))) == ["b", "n"]

    trio.run(main)


def test_slow_metric_loses_no_other(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("acc=0.5\n" + "x" * 500_000)
    (tmp_path / "m.json").write_text('{"a": 1}')
    metrics: dict[str, Metric] = {
        "slow": SLOW,
        "acc": RegexMetric("acc=(.*)"),
        "slow2": SLOW,
        "a": JsonMetric("m.json", "a"),
    }
    assert collect(metrics, tmp_path, seconds=1.5) == {
        "slow": Missing("not found within 1.5 s"),
        "acc": Value("0.5", 0.5),
        "slow2": Missing("not found within 1.5 s"),
        "a": Value("1", 1),
    }


def test_limit_of_a_slow_metric_shrinks_and_of_no_other(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("acc=1\n" + "x" * 500_000)

    async def main() -> None:
        async with Collector({"slow": SLOW, "acc": RegexMetric("acc=(.*)")}, seconds=2) as collector:
            for seconds in ("2", "1", "0.5", "0.5"):
                found = await collector.collect(sources(tmp_path), frozenset(("slow",)))
                assert found == {"slow": Missing(f"not found within {seconds} s")}
            (tmp_path / "log").write_text("acc=1\n" * 1000)
            assert (await collector.collect(sources(tmp_path)))["acc"] == Value("1", 1)

    trio.run(main)


def test_event_loop_runs_beside_a_slow_metric(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x" * 500_000)

    async def main() -> None:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.sleep(0.01)

        async with Collector({"m": SLOW}, seconds=1) as collector, trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            await collector.collect(sources(tmp_path))
            assert turns > 5
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_largest_json_fits_into_the_bounded_memory(tmp_path: Path) -> None:
    """Empty objects take the most memory for each byte of JSON."""
    (tmp_path / "m.json").write_text('{"a": [' + ",".join(["{}"] * (MAX_JSON_SIZE // 3 - 10)) + '], "b": 1}')
    metrics: dict[str, Metric] = {"b": JsonMetric("m.json", "b")}

    async def main() -> None:
        async with Collector(metrics, seconds=600) as collector:
            assert await collector.collect(sources(tmp_path)) == {"b": Value("1", 1)}
            [reader] = _readers()
            assert resource.prlimit(reader, resource.RLIMIT_AS)[0] == MEMORY

    trio.run(main)


def test_killed_worker_is_started_again(tmp_path: Path) -> None:
    """Killing the children of runner does not lose the metrics of a finished session."""
    (tmp_path / "log").write_text("acc=1\n")

    async def main() -> None:
        async with Collector({"acc": RegexMetric("acc=(.*)")}) as collector:
            for _ in range(3):
                assert await collector.collect(sources(tmp_path)) == {"acc": Value("1", 1)}
                [worker] = children(os.getpid())
                for process in (*children(worker), worker):
                    os.kill(process, signal.SIGKILL)

    trio.run(main)


def test_killed_reader_is_said(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x" * 500_000)
    metrics: dict[str, Metric] = {"slow": SLOW, "acc": RegexMetric("x")}

    async def main() -> None:
        async with Collector(metrics, seconds=600) as collector, trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, _kill_busy_readers)
            assert await collector.collect(sources(tmp_path)) == {
                "slow": Missing("the process that looks for it: it ended", unread=True),
                "acc": Value("x", "x"),
            }

    trio.run(main)


def _kill_busy_readers() -> None:
    """Kill two readers in turn, each once it looks for a match: it has used CPU time that nothing else of it needs."""
    killed: list[int] = []
    for _ in range(TRIES):
        wait_for(lambda: any(_ticks(reader) > 30 for reader in _readers() if reader not in killed))
        killed.append(next(reader for reader in _readers() if reader not in killed))
        os.kill(killed[-1], signal.SIGKILL)


def _readers() -> list[int]:
    return [reader for worker in _of(os.getpid()) for reader in _of(worker)]


def _of(pid: int) -> list[int]:
    try:
        return children(pid)
    except FileNotFoundError:
        return []


def _ticks(pid: int) -> int:
    """CPU time in user mode, in hundredths of a second; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
    except FileNotFoundError:
        return 0


def test_request_as_large_as_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({f"k{number}": number for number in range(3000)}))
    metrics: dict[str, Metric] = {f"k{number}": JsonMetric("m.json", f"k{number}") for number in range(3000)}
    found = collect(metrics, tmp_path)
    assert found == {f"k{number}": Value(str(number), number) for number in range(3000)}
