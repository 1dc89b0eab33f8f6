"""Many sessions of `true` on a Slurm cluster: `python -m tests.benchmarks.slurm [SESSIONS [ROUNDS [CONTENDER…]]]`.

Contenders take turns: a hand-written array whose tasks write a file with their exit code, submitit's `map_array` if it is
installed, runner, and runner with `pack: 50`. Prints for each the median time from its first `sbatch` to its end, the median
with its start-up, and its number of `sbatch` calls.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.slurm import SlurmCluster

BY_HAND = """#!/bin/sh
/bin/sh -c true >"out.$SLURM_ARRAY_TASK_ID" 2>"err.$SLURM_ARRAY_TASK_ID" </dev/null
code=$?
echo "code=$code" >"new.$SLURM_ARRAY_TASK_ID" && mv "new.$SLURM_ARRAY_TASK_ID" "end.$SLURM_ARRAY_TASK_ID"
exit $code
"""

SUBMITIT = """
import subprocess, submitit, sys
executor = submitit.AutoExecutor(folder="logs", cluster="slurm")
executor.update_parameters(timeout_min=5, slurm_array_parallelism=1000, mem_gb=0.0625, cpus_per_task=1)
jobs = executor.map_array(subprocess.call, [["true"]] * int(sys.argv[1]))
assert all(job.result() == 0 for job in jobs)
"""


def by_hand(folder: Path, sessions: int, environ: dict[str, str]) -> None:
    (folder / "job.sh").write_text(BY_HAND)
    command = ["sbatch", "--parsable", f"--array=0-{sessions - 1}", "--output=/dev/null", "--mem=64M", "job.sh"]
    subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    while sum(name.startswith("end.") for name in os.listdir(folder)) < sessions:
        time.sleep(0.05)


def by_submitit(folder: Path, sessions: int, environ: dict[str, str]) -> None:
    command = [sys.executable, "-c", SUBMITIT, str(sessions)]
    subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)


def by_runner(pack: int) -> Callable[[Path, int, dict[str, str]], None]:
    def run(folder: Path, sessions: int, environ: dict[str, str]) -> None:
        backend = json.dumps({"kind": "slurm", "pack": pack})
        text = f"exec: [sh, -c, 'true']\nresources: {{mem: 64m}}\nrepeat: {sessions}\nbackend: {backend}\n"
        (folder / "sweep.yaml").write_text(text)
        command = [sys.executable, "-m", "runner", "apply"]
        subprocess.run(command, cwd=folder, env=environ, check=True, stderr=subprocess.DEVNULL)

    return run


def counting(folder: Path, environ: dict[str, str]) -> dict[str, str]:
    """An environment in which each `sbatch` adds a line to the file `calls`, and the first one creates the folder `begun`."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "sbatch"
    script.write_text(
        f'#!/bin/sh\nmkdir {folder}/begun 2>&-\necho >>{folder}/calls\nexec {shutil.which("sbatch")} "$@"\n'
    )
    script.chmod(0o755)
    return {**environ, "PATH": f"{script.parent}:{environ['PATH']}"}


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    cluster = SlurmCluster.running()
    if cluster is None:
        sys.exit("no cluster: tests/clusters/slurm/up")
    contenders = {"one array by hand": by_hand, "runner": by_runner(1), "runner, `pack: 50`": by_runner(50)}
    if importlib.util.find_spec("submitit"):
        contenders["submitit `map_array`"] = by_submitit
    contenders = {name: contenders[name] for name in sys.argv[3:] or contenders}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    whole: dict[str, list[float]] = {name: [] for name in contenders}
    calls: dict[str, int] = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            with tempfile.TemporaryDirectory(prefix="runner-benchmark-") as made:
                folder = Path(made)
                environ = counting(folder, cluster.environ)
                begin = time.time()
                contender(folder, sessions, environ)
                end = time.time()
                seconds[name].append(end - (folder / "begun").stat().st_mtime)
                whole[name].append(end - begin)
                print(f"{name}: {seconds[name][-1]:.1f} s", file=sys.stderr)
                calls[name] = len((folder / "calls").read_text())
            # Wait until Slurm has forgotten the ended jobs, too: they slow down the next contender.
            while cluster.call("squeue", "-h", "-t", "all").strip():
                time.sleep(0.5)
    print(f"| {sessions:,} × `true` | seconds, median of {rounds} | with its start | `sbatch` calls |")
    print("|---|---|---|---|")
    for name in contenders:
        median, all_in_all = statistics.median(seconds[name]), statistics.median(whole[name])
        print(f"| {name} | {median:.1f} | {all_in_all:.1f} | {calls[name]} |")


if __name__ == "__main__":
    main()
