"""Forked Python sessions beside their peers: `python tests/benchmarks/forkserver.py [--python PATH] [--rounds N] [PROGRAM…]`.

For each program (`empty`, `numpy`, `sklearn`, `torch`; those whose library the interpreter has) it compares
- `xargs -P` with as many processes as there are cpus,
- `runner apply` with twice as many sessions at once,
- the same with `python: {preload: […]}`,
- a loop that imports the library once and forks.

Prints medians of interleaved rounds and their ratios, of elapsed time and of CPU time, which other load on the machine
disturbs less. All are slopes between two sizes, so that start-up does not count; `--sessions N` is the difference of sizes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PROGRAMS = {
    "empty": ("", []),
    "numpy": ("import numpy; print(numpy.ones(3).sum())", ["numpy"]),
    "sklearn": (
        "from sklearn.linear_model import LinearRegression; print(LinearRegression().fit([[0], [1]], [0, 1]).coef_)",
        ["numpy", "sklearn.linear_model"],
    ),
    "torch": ("import torch; print(torch.ones(3).sum())", ["torch"]),
}
TARGETS = {
    "empty": (0.0, 2.0, 0.0),
    "numpy": (20.0, 0.0, 0.0),
    "sklearn": (0.0, 0.0, 0.0),
    "torch": (50.0, 0.0, 0.0),
}
"""Least ratios of forked sessions to xargs, to the same sweep without preloading, and to the loop; 0 if there is none."""

LOOP = """
import gc, os, sys
count, at_once, source, modules = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
for module in modules:
    __import__(module)
code = compile(source, "<string>", "exec")
gc.freeze()
running = 0
for _ in range(count):
    if running == at_once:
        os.wait()
        running -= 1
    if not os.fork():
        exec(code, {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    running += 1
while running:
    os.wait()
    running -= 1
"""


class Cost(NamedTuple):
    """Elapsed seconds, and seconds of CPU time of all processes that were reaped."""

    wall: float
    cpu: float


def cost(command: list[str], cwd: Path, stdin: str | None = None) -> Cost:
    # Compiled modules must be kept, or every start would compile all of them.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin, before = time.perf_counter(), _cpu()
    subprocess.run(command, cwd=cwd, env=environ, input=stdin, capture_output=True, check=True, text=True)
    return Cost(time.perf_counter() - begin, _cpu() - before)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def slope(measure: Callable[[int], Cost], few: int, more: int) -> Cost:
    """Return the cost of one session, from runs with `few` and with `few + more` sessions."""
    before, after = measure(few), measure(few + more)
    return Cost((after.wall - before.wall) / more, (after.cpu - before.cpu) / more)


class Peers:
    """The ways to run one program; each method takes how many times and returns the cost of all."""

    def __init__(self, python: str, program: str, folder: Path, at_once: int) -> None:
        self.python = python
        self.code, self.modules = PROGRAMS[program]
        self.folder = folder
        self.at_once = at_once
        self._sweeps = 0

    def xargs(self, count: int) -> Cost:
        argv = ["xargs", f"-P{self.at_once // 2}", "-I{}", self.python, "-c", self.code]
        return cost(argv, self.folder, "".join(f"{number}\n" for number in range(count)))

    def loop(self, count: int) -> Cost:
        return cost([self.python, "-c", LOOP, str(count), str(self.at_once), self.code, *self.modules], self.folder)

    def forked(self, count: int) -> Cost:
        return self._apply(count, f"python: {{interpreter: {self.python}, preload: [{', '.join(self.modules)}]}}")

    def cold(self, count: int) -> Cost:
        return self._apply(count, "")

    def _apply(self, count: int, python: str) -> Cost:
        self._sweeps += 1
        sweep = self.folder / f"sweep-{self._sweeps}.yaml"
        first = "python" if python else self.python
        sweep.write_text(
            f"exec: [{first}, -c, {self.code!r}]\nrepeat: {count}\nmax_parallel: {self.at_once}\n{python}\n"
        )
        return cost([sys.executable, "-m", "runner", "apply", sweep.name], self.folder)


def has(python: str, modules: list[str]) -> bool:
    imports = "; ".join(f"import {module}" for module in modules) or "pass"
    return subprocess.run([python, "-c", imports], stderr=subprocess.DEVNULL, check=False).returncode == 0


def costs(python: str, program: str, rounds: int, sessions: int, folder: Path) -> dict[str, Cost]:
    """Return the median cost of one session, by peer."""
    at_once = 2 * len(os.sched_getaffinity(0))
    peers = Peers(python, program, folder, at_once)
    one = min(peers.xargs(at_once).wall for _ in range(2))  # the first one fills the caches
    few = max(at_once, min(500, int(3 / one) * at_once))  # cold starts take some three seconds
    found: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        found.setdefault("xargs", []).append(slope(peers.xargs, at_once, few))
        found.setdefault("cold", []).append(slope(peers.cold, at_once, few))
        found.setdefault("loop", []).append(slope(peers.loop, 200, sessions))
        found.setdefault("forked", []).append(slope(peers.forked, 200, sessions))
    return {
        name: Cost(statistics.median(one.wall for one in values), statistics.median(one.cpu for one in values))
        for name, values in found.items()
    }


def ratio(value: float, target: float) -> str:
    return f"{value:.2g}" + (f" (≥ {target:g}{'' if value >= target else ': missed'})" if target else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the sessions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("program", nargs="*", choices=[[], *PROGRAMS], help="default: all that are installed")
    given = parser.parse_args()
    print(
        "| program | measure | xargs | runner, cold | fork loop | runner, forked | forked/xargs | forked/cold | forked/loop |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for program in given.program or PROGRAMS:
        if not has(given.python, PROGRAMS[program][1]):
            continue
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".benchmark-") as folder:
            cost = costs(given.python, program, given.rounds, given.sessions, Path(folder))
        for measure in ("wall", "cpu"):
            each = {peer: getattr(cost[peer], measure) for peer in ("xargs", "cold", "loop", "forked")}
            targets = zip(("xargs", "cold", "loop"), TARGETS[program], strict=True)
            ratios = [ratio(each[peer] / each["forked"], target) for peer, target in targets]
            shown = [f"{1 / one:.3g}" if measure == "wall" else f"{1000 * one:.3g}" for one in each.values()]
            what = "sessions a second" if measure == "wall" else "ms of CPU a session"
            print(f"| `{program}` | {what} | {' | '.join((*shown, *ratios))} |", flush=True)


if __name__ == "__main__":
    main()
