"""`SlurmBackend` with scripts in place of Slurm's commands: submission, limits, and jobs that leave no record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.backends.base import FOR_MAX_PARALLEL, Rejected
from runner.backends.slurm.backend import SlurmBackend
from runner.backends.slurm.spool import Spool
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Outcome
from tests.fake_slurm import fake_commands, make_attempt
from tests.processes import HANG

COUNTING_SBATCH = 'echo "$*" >>"$0.calls"; echo $((6 + $(wc -l <"$0.calls")))'
"""An `sbatch` that gives out the ids 7, 8 …, and writes its arguments into a file."""


def calls(folder: Path, command: str) -> list[str]:
    """The arguments of each call of a command that writes them."""
    file = folder / f"{command}.calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(
    ("accounting", "log", "expected"),
    [
        ("echo '7_[0]|CANCELLED by 0|0:0|None assigned|Unknown'", False, (Outcome.CANCELLED, False)),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", False, (Outcome.LOST, False)),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", True, (Outcome.LOST, True)),
    ],
)
def test_job_that_the_queue_never_lists(
    tmp_path: Path, accounting: str, log: bool, expected: tuple[Outcome, bool]
) -> None:
    """It was cancelled if accounting says so; else it is lost, and has begun if there is a log."""
    environ = fake_commands(tmp_path, sacct=accounting)
    attempt = make_attempt("x", tmp_path)
    if log:
        Path(attempt.stdout).touch()

    async def main() -> AttemptEnd:
        async with SlurmBackend({}, environ, tmp_path / "jobs") as backend:
            return await backend.wait(await backend.submit(attempt))

    ended = trio.run(main)
    assert (ended.outcome, ended.began) == expected


def test_missing_configuration_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    fault = "echo 'sbatch: fatal: Could not establish a configuration source' >&2; exit 1"
    environ = fake_commands(tmp_path, **dict.fromkeys(("sbatch", "squeue", "scontrol"), fault))

    async def main() -> None:
        async with SlurmBackend({}, environ, tmp_path / "jobs") as backend:
            await backend.submit(make_attempt("x", tmp_path))

    with pytest.raises(EnvironmentFailed, match="finds no configuration of Slurm on this machine"):
        trio.run(main)


def test_half_of_an_array_is_accepted_and_half_refused(tmp_path: Path) -> None:
    """The array is too large for a submit limit; of its halves, the second is refused for another reason."""
    sbatch = (
        "case $* in *--array=0-1*) echo 'sbatch: error: AssocMaxSubmitJobLimit' >&2; exit 1 ;; esac\n"
        "if mkdir \"$0.once\" 2>/dev/null; then echo 7; else echo 'sbatch: error: no such account' >&2; exit 1; fi"
    )
    environ = fake_commands(tmp_path, sbatch=sbatch)
    results: dict[str, str] = {}

    async def main() -> None:
        async with SlurmBackend({}, environ, tmp_path / "jobs") as backend, trio.open_nursery() as nursery:

            async def submit(attempt: Attempt) -> None:
                try:
                    results[attempt.session] = await backend.submit(attempt)
                except Rejected as refusal:
                    results[attempt.session] = refusal.reason

            for number, name in enumerate("xy"):
                nursery.start_soon(submit, make_attempt(name, tmp_path, RUNNER_INDEX=str(number)))

    trio.run(main)
    assert results == {"x": "7_0", "y": "no such account"}


# `max_parallel`


def test_second_array_waits_until_the_first_has_room(tmp_path: Path) -> None:
    """Each array has the limit itself; the second is submitted once all live tasks fit."""
    environ = fake_commands(tmp_path, sbatch=COUNTING_SBATCH)
    jobs = tmp_path / "jobs"
    waiting: list[str] = []

    async def main() -> None:
        async with SlurmBackend({"max_parallel": 2}, environ, jobs) as backend, trio.open_nursery() as nursery:
            for number in range(3):
                attempt = make_attempt(str(number), tmp_path, RUNNER_INDEX=str(number))
                nursery.start_soon(backend.submit, attempt)
            with trio.fail_after(HANG):
                while not list(jobs.glob("*/job")):  # noqa: ASYNC110
                    await trio.sleep(0.01)
            nursery.start_soon(backend.submit, make_attempt("late", tmp_path), waiting.append)
            with trio.fail_after(HANG):
                while not waiting:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            assert len(calls(tmp_path, "sbatch")) == 1
            [array] = [path.parent for path in jobs.glob("*/job")]
            for index in (1, 2):
                (array / f"{index}.end").write_text("code=0 why= job=7\n")

    trio.run(main)
    assert waiting == [FOR_MAX_PARALLEL]
    first, second = calls(tmp_path, "sbatch")
    assert "--array=0-2%2" in first
    assert "--array=0-0%2" in second
    assert "--dependency" not in first + second


def test_job_of_an_earlier_runner_is_adopted_by_its_name(tmp_path: Path) -> None:
    """Also if that runner died before it knew the array's id: Slurm is asked for the array's unique name."""
    jobs = tmp_path / "jobs"
    attempt = make_attempt("x", tmp_path)
    array = Spool(jobs).create([attempt], 1, "")
    environ = fake_commands(
        tmp_path, sbatch=COUNTING_SBATCH, squeue=f'case "$*" in *{array.name}*ArrayJobID:20*) echo 5 ;; esac'
    )

    async def main() -> str:
        async with SlurmBackend({}, environ, jobs) as backend:
            return await backend.submit(attempt)

    assert trio.run(main) == "5_0"
    assert calls(tmp_path, "sbatch") == []


@pytest.mark.parametrize(("state", "waits"), [(None, False), ("RUNNING", True), ("FAILED", False)])
def test_arrays_of_an_earlier_runner_count_only_while_alive(tmp_path: Path, state: str | None, waits: bool) -> None:
    """An array without records that Slurm has forgotten does not hold back the next one."""
    jobs = tmp_path / "jobs"
    left = Spool(jobs).create([make_attempt("left", tmp_path)], 1, "")
    left.set_job("5")
    row = f"5|0|{state}|0|1795632111|n1|None|{left.name}"
    environ = fake_commands(tmp_path, sbatch=COUNTING_SBATCH, squeue=f"echo '{row}'" if state else "exit 0")
    waiting: list[str] = []

    async def main() -> None:
        async with SlurmBackend({"max_parallel": 1}, environ, jobs) as backend:
            await backend.live_jobs("0123456789ab-")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(backend.submit, make_attempt("x", tmp_path), waiting.append)
                if waits:
                    with trio.fail_after(HANG):
                        while not waiting:  # noqa: ASYNC110
                            await trio.sleep(0.01)
                    (left.folder / "0.end").write_text("code=0 why= job=5\n")

    trio.run(main)
    assert waiting == ([FOR_MAX_PARALLEL] if waits else [])
    assert len(calls(tmp_path, "sbatch")) == 1


def test_adopted_array_gets_the_limit_of_this_runner(tmp_path: Path) -> None:
    """Once for the array, not once for each session."""
    jobs = tmp_path / "jobs"
    attempts = [make_attempt(name, tmp_path) for name in "xy"]
    array = Spool(jobs).create(attempts, 1, "")
    array.set_job("5")
    environ = fake_commands(
        tmp_path,
        squeue=f'for task in 0 1; do echo "5|$task|PENDING|0|N/A||Priority|{array.name}"; done',
        scontrol='case $1 in update) echo "$*" >>"$0.calls"; esac',
    )

    async def main() -> None:
        async with SlurmBackend({"max_parallel": 2}, environ, jobs) as backend:
            await backend.live_jobs("0123456789ab-")
            with trio.fail_after(HANG):
                ids = [await backend.submit(attempt) for attempt in attempts]
            assert ids == ["5_0", "5_1"]

    trio.run(main)
    assert calls(tmp_path, "sbatch") == []
    assert calls(tmp_path, "scontrol") == ["update JobId=5 ArrayTaskThrottle=2"]


def test_secret_is_on_no_command_line(tmp_path: Path) -> None:
    environ = fake_commands(tmp_path, sbatch='echo "$*" >>"$0.calls"; env >"$0.env"; echo 7')
    attempt = replace(make_attempt("x", tmp_path), secrets={"TOKEN": "hunter2", "seconds": "1"})

    async def main() -> None:
        async with SlurmBackend({}, environ, tmp_path / "jobs") as backend:
            await backend.submit(attempt)

    trio.run(main)
    assert "TOKEN=hunter2" in (tmp_path / "sbatch.env").read_text()
    assert "hunter2" not in "".join(calls(tmp_path, "sbatch"))
