"""Events of made-up sweeps, for tests of those who take them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from runner.events import ApplyEnded, ApplyStarted, AttemptEnded, AttemptStarted, AttemptSubmitted
from runner.model import Outcome, Recipe, Scalar, Session, Usage, Value
from runner.scalars import metric_from

IDLE = Usage(0.0, {}, {})

RECIPE = Recipe({"exec": ["train", ["lr"]], "files": {"train.py": "abc"}}, "digest-1", "sans-1")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def session(number: int, recipe: Recipe = RECIPE) -> Session:
    """The same number is the same point; with another recipe it is another session."""
    return Session(
        index=number,
        id=digest(f"{recipe.digest}:{number}"),
        point=digest(f"point {number}"),
        repeat=number % 3,
        params={"lr": Value("1e-3", 0.001), "X": Value("010", 10), "odd": Value("\ud800 ü", "\ud800 ü")},
        exec=("train", "--lr", "1e-3", str(number)),
        env={"CASENO": str(number)},
        build=None,
        workdir=".",
        image=None,
        resources={"cpu": 1},
    )


def apply_started(at: float = 1.0, recipe: Recipe = RECIPE) -> ApplyStarted:
    return ApplyStarted(
        at=at,
        sweep="lr-search",
        total=10,
        to_run=7,
        backend="local",
        capacity={"cpu": 8},
        max_parallel=4,
        host="node1",
        user="ada",
        pid=4711,
        version="0.1.0",
        commit="c0ffee",
        dirty=False,
        text="exec: true\n# ü\n",
        recipe=recipe,
    )


def submitted(one: Session, attempt: int = 1, at: float = 2.0) -> AttemptSubmitted:
    return AttemptSubmitted(at, one, attempt, f"state-{one.id}-{attempt}", "local")


def started(one: Session, attempt: int = 1, at: float = 3.0, devices: tuple[str, ...] = ()) -> AttemptStarted:
    return AttemptStarted(at, one.id, attempt, f"{attempt}:99", "node1", devices)


def ended(
    one: Session,
    outcome: Outcome = Outcome.SUCCEEDED,
    attempt: int = 1,
    at: float = 4.0,
    metrics: Mapping[str, Scalar] | None = None,
) -> AttemptEnded:
    succeeded = outcome is Outcome.SUCCEEDED
    return AttemptEnded(
        at=at,
        session=one.id,
        attempt=attempt,
        outcome=outcome,
        exit_code=0 if succeeded else 1,
        reason=None if succeeded else f"it {outcome}",
        duration=1.5,
        cpu_time=0.25,
        max_rss=1 << 33,
        metrics={name: metric_from(data) for name, data in (metrics or {}).items()},
        retry_in=None,
    )


def apply_ended(
    at: float, outcomes: Mapping[Outcome, int] | None = None, not_run: int = 0, usage: Usage = IDLE
) -> ApplyEnded:
    return ApplyEnded(at, outcomes or {}, not_run, usage)
