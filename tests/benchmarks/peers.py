"""Programs that start many processes, each as the command that runs N of the same: runner and the installed peers."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PARALLEL = 4

C_LOOP = r"""
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
extern char **environ;
int main(int argc, char **argv) {
    long left = atol(argv[1]);
    int running = 0, most = atoi(argv[2]);
    while (left || running) {
        pid_t pid;
        if (left && running < most) {
            if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environ)) return 1;
            left--, running++;
        } else if (wait(NULL) > 0) running--;
    }
}
"""

# Its client looks once a second; a worker that is started before the server has written its files fails.
HYPERQUEUE = """
import os, sys, time
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
count, most, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
cluster = LocalCluster()
time.sleep(1)
cluster.start_worker(WorkerConfig(cores=most))
client, job = cluster.client(), Job(os.getcwd())
for _ in range(count):
    job.program(program)
assert client.wait_for_jobs([client.submit(job)])
os._exit(0)
"""


@dataclass(frozen=True)
class Peer:
    """`command(folder, count)` is the argv that runs `count` sessions in an empty folder, which is its working directory.

    A slow one is asked for `share` of the sessions that the others run.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    share: float = 1.0


def runner(exec_: str) -> Peer:
    """`exec_` as the sweep file has it."""

    def command(folder: Path, count: int) -> list[str]:
        text = f"exec: {exec_}\nrepeat: {count}\nmax_parallel: {PARALLEL}\n"
        (folder / "sweep.yaml").write_text(text)
        return [sys.executable, "-m", "runner", "apply", str(folder / "sweep.yaml")]

    return Peer("runner apply", command)


def xargs(words: str) -> Peer:
    """`words` as one would type them, behind the options that `-P4` belongs to."""

    def command(folder: Path, count: int) -> list[str]:
        (folder / "out").mkdir()
        return ["sh", "-c", f"seq {count} | xargs -P{PARALLEL} {words}"]

    return Peer(f"xargs -P{PARALLEL} {words}", command)


def c_loop(folder: Path, program: str) -> Peer | None:
    """A loop over posix_spawn, compiled on the spot: what the machine can do. None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, built = folder / "loop.c", folder / "loop"
    source.write_text(C_LOOP)
    subprocess.run([compiler, "-O2", "-o", str(built), str(source)], check=True)
    return Peer("C loop over posix_spawn", lambda _, count: [str(built), str(count), str(PARALLEL), program])


def gnu_parallel(program: str) -> Peer | None:
    if shutil.which("parallel") is None:
        return None
    line = f"parallel --will-cite -j{PARALLEL} --joblog log --results results {shlex.quote(program)} >/dev/null"
    return Peer("GNU parallel --joblog --results", lambda _, n: ["sh", "-c", f"seq {n} | {line}"], 0.1)


def hyperqueue(program: str) -> Peer | None:
    if importlib.util.find_spec("hyperqueue") is None:
        return None
    return Peer("HyperQueue", lambda _, n: [sys.executable, "-c", HYPERQUEUE, str(n), str(PARALLEL), program])
