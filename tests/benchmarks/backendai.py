"""Wall time of the example in Backend.AI's manual: `python -m tests.benchmarks.backendai [ROUNDS]`.

The official client (23.9.10, from the cluster's environment) and runner take turns on the running cluster, with the same image.
Prints for each the median wall time, the exit code, the lines of output, and the number of sessions left running, which are
then destroyed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from tests.backendai import Cluster

CODE = 'import os; print("Hello world, {}".format(os.environ["CASENO"]))'
FLAGS = ["-r", "cpu=1", "-r", "mem=256m", "-e", "CASENO=$X", "--env-range=X=case:1,2,3,4"]


@dataclass
class Contender:
    command: list[str]
    code: str = CODE
    seconds: list[float] = field(default_factory=list)
    exit_code: int = 0
    stdout: str = ""
    left_running: int = 0


def take_turn(contender: Contender, cluster: Cluster, image: str) -> None:
    environ = {**cluster.environ(), "BACKEND_ENDPOINT_TYPE": "api"}
    tag = f"benchmark-{os.getpid()}-{time.monotonic_ns()}"
    begin = time.perf_counter()
    done = subprocess.run(
        [*contender.command, "-c", contender.code, *FLAGS, "--tag", tag, image],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    contender.seconds.append(time.perf_counter() - begin)
    contender.exit_code, contender.stdout = done.returncode, done.stdout
    left = [job for job in cluster.jobs(tag) if job.status == "RUNNING"]
    contender.left_running = len(left)
    for job in left:
        cluster.destroy(job)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    cluster = Cluster.running()
    if cluster is None:
        sys.exit("no cluster: tests/clusters/backendai/up")
    official = [cluster.values["CLUSTER"] + "/venv/bin/backend.ai", "run"]
    runner = [sys.executable, "-m", "runner", "run", "--backend", "backend.ai"]
    contenders = {
        "backend.ai run": Contender(official),
        "backend.ai run --rm": Contender([*official, "--rm"]),
        "runner run": Contender(runner),
        "backend.ai run --rm, CASENO 3 fails": Contender(
            [*official, "--rm"], f"{CODE}; assert os.environ['CASENO'] != '3'"
        ),
        "runner run, CASENO 3 fails": Contender(runner, f"{CODE}; assert os.environ['CASENO'] != '3'"),
    }
    for _ in range(rounds):
        for contender in contenders.values():
            take_turn(contender, cluster, cluster.values["IMAGE_IPYTHON"])
    print("| command | wall time, median | exit code | lines of output on stdout | sessions left running |")
    print("|---|---|---|---|---|")
    for name, contender in contenders.items():
        median = statistics.median(contender.seconds)
        lines = sum("Hello world" in line for line in contender.stdout.splitlines())
        print(f"| `{name}` | {median:.1f} s | {contender.exit_code} | {lines} | {contender.left_running} |")


if __name__ == "__main__":
    main()
