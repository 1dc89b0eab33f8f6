"""An array's way to Slurm: submitted once, whatever happens to `sbatch` or to us on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.backends.slurm.cli import Refused, Unreachable, call
from runner.backends.slurm.retry import Controller, Patience
from runner.backends.slurm.spool import Array

ANSWERED_WITHIN = 60.0
"""Seconds that `sbatch` gets. While Slurm's table of jobs is full it waits by itself, and does not say for how long."""

REMEMBERED = "now-60days"
"""Since when accounting is asked for an array."""


async def submit(
    environ: Mapping[str, str],
    controller: Controller,
    array: Array,
    arguments: Sequence[str],
    secrets: Mapping[str, str],
    at_once: int | None = None,
    on_waiting: Callable[[str], None] | None = None,
) -> str:
    """The id of the array at Slurm, of which `at_once` tasks may run at the same time.

    Raises Refused, and EnvironmentFailed when nobody answers for too long.
    """
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={array.name}",
        f"--array=0-{array.tasks - 1}" + (f"%{at_once}" if at_once else ""),
        "--ntasks=1",
        "--no-requeue",
        "--output=/dev/null",
        "--export=ALL",
        "--chdir=/",
        *arguments,
        str(array.folder / "script"),
    ]
    patience = Patience(controller, on_waiting)
    while True:
        try:
            # What `--export=ALL` means is only this; secrets go this way, and neither into a file nor a command line.
            said = await call({**environ, **secrets}, *command, seconds=ANSWERED_WITHIN)
        except Unreachable as fault:
            await patience.wait(fault)
            if (job := await look_for(environ, controller, array)) is not None:
                return job
        else:
            patience.over()
            return said.strip().partition(";")[0]


async def look_for(environ: Mapping[str, str], controller: Controller, array: Array) -> str | None:
    """The id of an array that may have been submitted, by the name that no other has; None if it certainly was not."""
    if array.records:
        return next(iter(array.records.values())).job
    name = f"--name={array.name}"
    queue = await _ask(environ, Patience(controller), "squeue", "-h", "-t", "all", name, "-O", "ArrayJobID:20")
    if job := _first(queue):
        return job
    try:
        return _first(
            await call(environ, "sacct", "-X", "-n", "-P", name, "-S", REMEMBERED, "-o", "JobID", seconds=120)
        )
    except (Refused, Unreachable):
        return None


def _first(text: str) -> str | None:
    """Of lines such as `123_4`, `123_[5-9]` or `123`."""
    words = text.split()
    return words[0].partition("_")[0] if words else None


async def limits(
    environ: Mapping[str, str], controller: Controller, on_waiting: Callable[[str], None] | None = None
) -> dict[str, str]:
    """What `scontrol show config` says, by name. Raises EnvironmentFailed."""
    try:
        text = await _ask(environ, Patience(controller, on_waiting), "scontrol", "show", "config")
    except Refused:
        return {}
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


async def throttle(
    environ: Mapping[str, str], controller: Controller, job: str, at_once: int, earlier: Sequence[str] | None
) -> None:
    """Have Slurm begin no more of this array's tasks while so many run, or any of these arrays, and wait for nothing else; with
    None for whatever it waits for. Raises EnvironmentFailed.
    """
    after = () if earlier is None else (f"Dependency={afterany(earlier) if earlier else ''}",)
    try:
        await _ask(
            environ, Patience(controller), "scontrol", "update", f"JobId={job}", f"ArrayTaskThrottle={at_once}", *after
        )
    except Refused:
        pass  # what waits of it has been changed; that the rest does not wait is a fault to Slurm


def afterany(arrays: Sequence[str]) -> str:
    """That something waits until these have ended, however they do, as Slurm words it."""
    return f"afterany:{':'.join(arrays)}"


async def _ask(environ: Mapping[str, str], patience: Patience, *command: str) -> str:
    """What a command that changes nothing when it is called again says. Raises Refused and EnvironmentFailed."""
    while True:
        try:
            said = await call(environ, *command, seconds=60)
        except Unreachable as fault:
            await patience.wait(fault)
        else:
            patience.over()
            return said
