"""What a sweep of a million sessions costs beside a bare Python loop, and whether size slows anything down."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runner.config.load import load
from runner.config.metrics import digests
from runner.config.yaml.reader import read
from runner.events import ApplyStarted, AttemptEnded, AttemptStarted, AttemptSubmitted
from runner.model import Outcome, Value
from runner.plan.plan import Plan
from runner.state import open_for_writing
from tests.benchmarks import measured
from tests.benchmarks.measured import Run, median, row

SWEEP = """
exec: [/bin/true, --lr, $lr, --seed, $seed, --model, $model, --width, $width]
ranges: {{lr: 'range:100', seed: 'range:{seeds}', model: [a, b, c, d, e, f, g, h, i, j], width: 'range:10'}}
zip: [[model, width]]
exclude: [{{lr: 3, model: a}}]
max_parallel: 4
"""

BARE = """
import json, sys
index = 0
for lr in range(100):
    for seed in range(int(sys.argv[1])):
        for width, model in enumerate("abcdefghij"):
            if lr == 3 and model == "a":
                continue
            values = {"lr": lr, "seed": seed, "model": model, "width": width}
            command = ["/bin/true"]
            for name, value in values.items():
                command += ["--" + name, str(value)]
            print(json.dumps({"index": index, "id": "0123456789abcdef", "repeat": 0, "params": values, "exec": command,
                              "env": {}, "resources": {}, "status": "new", "reason": None}))
            index += 1
"""

BARE_CSV = """
import csv, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute(
    "SELECT hex(s.id), t.params, a.outcome, a.exit_code, a.reason, a.number, a.backend, a.job, a.host, a.started,"
    " a.duration, a.cpu_time, a.max_rss, a.metrics FROM sessions s JOIN attempts a ON a.session = s.n"
    " AND a.number = s.attempts JOIN texts t ON t.session = s.n ORDER BY s.n"
)
csv.writer(sys.stdout).writerows(rows)
"""

NEW = (500, 2500)
"""Sessions to run where so many are done already: the cost of one is the slope between these."""


def table(rounds: int, sizes: tuple[int, int], million: int) -> Iterator[str]:
    yield row("what", f"measured (with {million:,} sessions)", "target")
    yield row("---", "---", "---")
    with measured.folder() as place:
        seeds = million // 1000
        (place / "sweep.yaml").write_text(SWEEP.format(seeds=seeds))
        (place / "one.yaml").write_text("exec: [/bin/true]\n")
        bare = [sys.executable, "-c", BARE, str(seeds)]
        plan = runner("plan", "sweep.yaml", "--format", "jsonl")
        both = [
            (measured.run(plan, place, stdout=place / "rows"), measured.run(bare, place, stdout=place / "rows"))
            for _ in range(rounds)
        ]
        yield row("`plan --format jsonl` beside a bare loop that prints the rows", *_beside(both), "≤ 3 ×, ≤ 100 MB")
        yield row("`plan --count` beyond start-up", f"{_count(place, rounds):.2f} s", "≤ 0.3 s")
        yield row("first session started after launch", f"{_first(place, rounds):.2f} s", "≤ 0.4 s")
        fill(place, "sweep.yaml")
        again = [(measured.run(runner("apply", "sweep.yaml"), place), measured.run(bare, place)) for _ in range(rounds)]
        yield row("`apply` with all of them succeeded beside that loop", *_beside(again), "≤ 4 ×, ≤ 200 MB")
        yield row("cost of a session, against 1,000 done", f"{_cost(place, million, rounds):.2f} ×", "≤ 1.3 ×")
    with measured.folder() as place:
        yield from _reading(place, rounds, million // 10)
    small, large = (_memory(count) for count in (1000, million // 10))
    ratio = f"{large / small:.2f} × that of 1,000, {large / 1e6:.0f} MB"
    yield row(f"memory of `apply` of {million // 10:,} sessions", ratio, "≤ 1.2 ×, ≤ 80 MB")


def _reading(place: Path, rounds: int, count: int) -> Iterator[str]:
    """The CPU time of what reads a finished sweep of `count` sessions, and of a tenth of it."""
    for name, sessions in (("sweep", count), ("small", count // 10)):
        text = f"name: {name}\n" + SWEEP.format(seeds=sessions // 1000)
        (place / f"{name}.yaml").write_text(text + "metrics: {loss: {regex: 'loss=(.*)'}, acc: {regex: 'acc=(.*)'}}\n")
        fill(place, f"{name}.yaml")
    csv = runner("results", "sweep.yaml", "--format", "csv")
    bare = [sys.executable, "-c", BARE_CSV, str(place / ".runner" / "sweep" / "journal.db")]
    runs = [(measured.run(csv, place), measured.run(bare, place)) for _ in range(rounds)]
    ratio = median(ours.cpu / query.cpu for ours, query in runs)
    seconds = median(ours.cpu for ours, _ in runs)
    yield row(
        f"`results --format csv` of {count:,} beside a bare query", f"{ratio:.2f} × ({seconds:.2f} s CPU)", "≤ 2 ×"
    )
    status = median(measured.run(runner("status", "sweep.yaml"), place).cpu for _ in range(rounds))
    yield row(f"`status` of {count:,}", f"{status:.2f} s CPU", "≤ 0.5 s")
    report = median(measured.run(runner("report", "small.yaml", "-o", "r.html"), place).cpu for _ in range(rounds))
    yield row(f"`report` of {count // 10:,}", f"{report:.2f} s CPU", "≤ 3 s")


def runner(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "runner", *arguments]


def _beside(runs: list[tuple[Run, Run]]) -> tuple[str]:
    ratio = median(ours.seconds / bare.seconds for ours, bare in runs)
    seconds = median(ours.seconds for ours, _ in runs)
    return (f"{ratio:.2f} × ({seconds:.1f} s), {median(ours.memory for ours, _ in runs) / 1e6:.0f} MB",)


def _count(place: Path, rounds: int) -> float:
    count, start = runner("plan", "sweep.yaml", "--count"), runner("plan", "one.yaml", "--count")
    return median(measured.run(count, place).seconds - measured.run(start, place).seconds for _ in range(rounds))


def _first(place: Path, rounds: int) -> float:
    """Seconds until the first of all these sessions runs: it says when, and fails, which ends the apply."""
    text = (
        (place / "sweep.yaml").read_text().replace("/bin/true", "sh, -c, 'test -e first || date +%s.%N >first; false'")
    )
    (place / "first.yaml").write_text(text + "stop: {failures: 1}\n")
    seconds = []
    for _ in range(rounds):
        (place / "first").unlink(missing_ok=True)
        begin = time.time()
        measured.run(runner("apply", "first.yaml", "--state", f"state-{begin}"), place, code=1)
        seconds.append(float((place / "first").read_text()) - begin)
    return median(seconds)


def _cost(place: Path, done: int, rounds: int) -> float:
    """The CPU time of a new session where so many are done, over that where a thousand are."""
    (place / "few.yaml").write_text(SWEEP.format(seeds=1))
    fill(place, "few.yaml")
    costs: dict[str, list[float]] = {"sweep.yaml": [], "few.yaml": []}
    for _ in range(rounds):
        for name, cost in costs.items():
            text = (place / name).read_text()
            cpu = []
            for new in NEW:
                values = ", ".join(
                    f"{{lr: {time.monotonic_ns() + n}, seed: 0, model: a, width: 0}}" for n in range(new)
                )
                (place / name).write_text(f"{text}include: [{values}]\n")
                cpu.append(measured.run(runner("apply", name), place).cpu)
            (place / name).write_text(text)
            cost.append((cpu[1] - cpu[0]) / (NEW[1] - NEW[0]))
    return median(many / few for many, few in zip(*costs.values(), strict=True))


def _memory(count: int) -> int:
    with measured.folder() as place:
        (place / "sweep.yaml").write_text(f"exec: [/bin/true]\nrepeat: {count}\nmax_parallel: 4\n")
        return measured.run(runner("apply", "sweep.yaml"), place).memory


def fill(place: Path, name: str) -> None:
    """Have every session of the sweep recorded as succeeded."""
    plan = Plan.of(load(read(place / name), place))
    sweep, kind = plan.sweep, "local"
    with open_for_writing(sweep.folder, sweep.name) as state:
        start = ApplyStarted(
            0.0,
            sweep.name,
            plan.count,
            plan.count,
            kind,
            {},
            4,
            "host",
            "user",
            1,
            "0",
            None,
            None,
            sweep.source.text,
            plan.recipe,
            definitions=digests(sweep.metrics),
        )
        state.journal.note(start)
        for session in plan:
            metrics = {name: Value(str(session.index / 7), session.index / 7) for name in sweep.metrics}
            state.journal.note(AttemptSubmitted(1.0, session, 1, f"{state.id}-{session.id}-1", kind))
            state.journal.note(AttemptStarted(1.0, session.id, 1, str(session.index), "host", ()))
            ended = AttemptEnded(2.0, session.id, 1, Outcome.SUCCEEDED, 0, None, 1.0, 0.001, None, metrics, None)
            state.journal.note(ended)
            if session.index % 1000 == 0:
                state.journal.commit()
        state.journal.commit()
