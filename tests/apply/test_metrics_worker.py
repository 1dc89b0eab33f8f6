"""Metrics are collected beside the event loop, in bounded time."""

from __future__ import annotations

from pathlib import Path

import trio

from runner.apply.metrics_worker import Collector
from runner.config.metrics import JsonMetric, Metric, RegexMetric


def test_the_same_values_as_collected_directly(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"a": {"b": 1.5}}')
    (tmp_path / "log").write_text("acc=1\nacc=2\n")

    async def main() -> None:
        metrics: dict[str, Metric] = {
            "b": JsonMetric("m.json", "a.b"),
            "acc": RegexMetric("acc=(.*)"),
            "none": RegexMetric("x=(.*)"),
        }
        async with Collector(metrics) as collector:
            for _ in range(3):
                found = await collector.collect(tmp_path, tmp_path / "log")
                assert found == {"b": 1.5, "acc": 2, "none": None}
        async with Collector({"b": JsonMetric("m.json", "a.b")}) as collector:
            assert await collector.collect(tmp_path, tmp_path / "log") == {"b": 1.5}

    trio.run(main)


def test_a_pattern_that_backtracks_without_end_holds_nothing_up(tmp_path: Path) -> None:
    """The event loop continues, and the metric says that it was not found in time; the next call works."""
    (tmp_path / "log").write_text("x" * 5000)
    (tmp_path / "fine").write_text("y")

    async def main() -> None:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.sleep(0.01)

        async with (
            Collector({"m": RegexMetric("((?:x+x+)+y|^y)")}, seconds=0.5) as collector,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(tick)
            assert await collector.collect(tmp_path, tmp_path / "log") == {"m": "not found within 0.5 s"}
            assert turns > 10
            collector._seconds = 30
            assert await collector.collect(tmp_path, tmp_path / "fine") == {"m": "y"}
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_collector_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """Killing the children of runner does not lose a finished session."""
    (tmp_path / "log").write_text("acc=1\n")

    async def main() -> None:
        async with Collector({"acc": RegexMetric("acc=(.*)")}) as collector:
            for _ in range(2):
                assert await collector.collect(tmp_path, tmp_path / "log") == {"acc": 1}
                assert collector._process is not None
                collector._process.kill()
                await collector._process.wait()
            assert await collector.collect(tmp_path, tmp_path / "log") == {"acc": 1}

    trio.run(main)
