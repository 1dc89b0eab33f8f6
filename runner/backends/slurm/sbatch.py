"""Submission of an array: exactly once, also if `sbatch` or this process fails on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from runner.backends.slurm.cli import CommandRefused, Controller, Outage, Unreachable
from runner.backends.slurm.spool import JobArray
from runner.text.lines import lines

ACCOUNTING_SINCE = "now-60days"
"""How far back accounting is searched for an array."""


class ClusterLimits(NamedTuple):
    """Limits in the cluster's configuration."""

    max_array_size: int
    """Tasks in one array."""
    min_job_age: int
    """Seconds for which the controller remembers a job that has ended."""


async def submit(
    controller: Controller,
    array: JobArray,
    arguments: Sequence[str],
    secrets: Mapping[str, str],
    max_parallel: int | None = None,
    on_waiting: Callable[[str], None] | None = None,
) -> str:
    """Submit an array of which at most `max_parallel` tasks run at once, and return its id.

    Raises CommandRefused, and EnvironmentFailed if the controller does not answer for too long.
    """
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={array.name}",
        f"--array=0-{array.tasks - 1}" + (f"%{max_parallel}" if max_parallel else ""),
        "--ntasks=1",
        "--no-requeue",
        "--output=/dev/null",
        "--export=ALL",
        "--chdir=/",
        *arguments,
        str(array.folder / "script"),
    ]
    outage = Outage(controller, on_waiting)
    while True:
        try:
            # `--export=ALL` passes on this environment and no other. Secrets travel in it: never in a file or on a command line.
            answer = await controller.call(*command, variables=secrets)
        except Unreachable as fault:
            await outage.wait(fault)
            if (job := await look_up(controller, array)) is not None:
                return job
        else:
            outage.end()
            return answer.strip().partition(";")[0]


async def look_up(controller: Controller, array: JobArray) -> str | None:
    """The id of an array that may have been submitted, found by its unique name; None if Slurm does not have it."""
    if array.records:
        return next(iter(array.records.values())).job
    name = f"--name={array.name}"
    if job := _array_id(await controller.insist("squeue", "-h", "-t", "all", name, "-O", "ArrayJobID:20")):
        return job
    try:
        columns = ("-X", "-n", "-P", name, "-S", ACCOUNTING_SINCE, "-o", "JobID")
        return _array_id(await controller.call("sacct", *columns, seconds=120))
    except (CommandRefused, Unreachable):
        return None


def _array_id(text: str) -> str | None:
    """From lines such as `123_4`, `123_[5-9]` or `123`."""
    words = text.split()
    return words[0].partition("_")[0] if words else None


async def limits(controller: Controller, on_waiting: Callable[[str], None] | None = None) -> ClusterLimits:
    """The cluster's limits; Slurm's defaults where it does not tell. Raises EnvironmentFailed."""
    try:
        text = await controller.insist("scontrol", "show", "config", on_waiting=on_waiting)
    except CommandRefused:
        text = ""
    pairs = (line.partition("=") for line in lines(text))
    values = {name.strip(): value.strip() for name, equals, value in pairs if equals}
    return ClusterLimits(
        int(values.get("MaxArraySize") or 1001),
        int((values.get("MinJobAge") or "300").split()[0]),
    )


async def set_max_parallel(controller: Controller, job: str, max_parallel: int) -> None:
    """Change how many tasks of an array may run at once. Raises EnvironmentFailed."""
    try:
        await controller.insist("scontrol", "update", f"JobId={job}", f"ArrayTaskThrottle={max_parallel}")
    except CommandRefused:
        pass  # pending tasks are changed; for those that run or have ended, Slurm reports a fault
