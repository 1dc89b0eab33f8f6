"""Slurm's parts by themselves: what goes to its commands, what is made of their answers, and the wrapper under real shells."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from runner.backends.base import Rejected
from runner.backends.slurm import outcome, scancel, squeue
from runner.backends.slurm.backend import Slurm
from runner.backends.slurm.batching import Gathering
from runner.backends.slurm.job import MISSES, Job
from runner.backends.slurm.options import arguments, read
from runner.backends.slurm.record import Record, parse
from runner.backends.slurm.spool import Array, Spool
from runner.backends.slurm.squeue import Row
from runner.cli.options import capacity_of, override
from runner.errors import EnvironmentFailed
from runner.model import Attempt, AttemptEnd, Outcome, Resources
from tests.conftest import LoadText
from tests.processes import wait_for

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


def attempt(name: str, folder: Path, command: str | tuple[str, ...] = "true", **env: str) -> Attempt:
    return Attempt(
        name=f"0123456789ab-{name}-1",
        session=name,
        number=1,
        command=command,
        env=env,
        secrets={},
        workdir=str(folder),
        stdout=str(folder / f"{name}.out"),
        stderr=str(folder / f"{name}.err"),
        output=str(folder),
        resources={},
        image=None,
        timeout=None,
        grace=5.0,
    )


# What `sbatch` is asked for


def test_resources(tmp_path: Path) -> None:
    """Whole CPUs and kibibytes, rounded up; custom resources by the names that the file gives them."""
    wanted: Resources = {"cpu": Fraction(5, 2), "mem": (1 << 20) + 1, "gpu": 2, "scratch": 1, "seat": 3, "mine": 4}
    options = {
        "gres": {"scratch": "nvme"},
        "licenses": {"seat": "matlab"},
        "partition": "p",
        "options": ["--exclusive"],
    }
    one = replace(attempt("a", tmp_path), resources=wanted, timeout=100.0, grace=10.0)
    assert arguments(read(options), one) == (
        "--cpus-per-task=3",
        "--mem=1025K",
        "--gres=gpu:2,nvme:1",
        "--licenses=matlab:3",
        "--time=3",
        "--partition=p",
        "--exclusive",
    )
    assert "--time=20" in arguments(read({"pack": 10}), one)


@pytest.mark.parametrize(
    ("more", "here", "there"),
    [("", None, 4), ("stop: {failures: 1}", 4, None), ("capacity: {license: 2}", 4, None)],
)
def test_who_keeps_max_parallel(load_text: LoadText, more: str, here: int | None, there: int | None) -> None:
    """Slurm, where that alone decides what runs next."""
    sweep = override(load_text(f"exec: ['true']\nmax_parallel: 4\nbackend: slurm\n{more}\n"))
    capacity = capacity_of(sweep)
    assert (capacity.max_parallel, capacity.kept_there) == (here, there)
    assert read(sweep.backend.options).max_parallel == there


def test_half_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="whole `gpu`"):
        arguments(read({}), replace(attempt("a", tmp_path), resources={"gpu": Fraction(1, 2)}))


def test_submissions_are_gathered(tmp_path: Path) -> None:
    """What comes at the same time goes together, in the plan's order, by what it asks for, in chunks of nearly one size."""
    sent: list[list[str]] = []

    async def submit(attempts: Sequence[Attempt]) -> None:
        sent.append([attempt.session for attempt in attempts])

    async def main() -> None:
        gathering = Gathering(submit, most=4)
        async with trio.open_nursery() as running:
            running.start_soon(gathering.run)
            async with trio.open_nursery() as nursery:
                for number in range(9):
                    nursery.start_soon(gathering.add, attempt(str(number), tmp_path, RUNNER_INDEX=str(number)), ("a",))
                nursery.start_soon(gathering.add, attempt("other", tmp_path), ("b",))
            running.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert sorted(sent) == [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"], ["other"]]


def test_what_waits_for_room_goes_together(tmp_path: Path) -> None:
    """However long that takes."""
    sent: list[list[str]] = []

    async def submit(attempts: Sequence[Attempt]) -> None:
        sent.append([attempt.session for attempt in attempts])

    async def room() -> None:
        await trio.sleep_until(100)

    async def main() -> None:
        gathering = Gathering(submit, 10, room)
        async with trio.open_nursery() as running:
            running.start_soon(gathering.run)
            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(gathering.add, attempt(str(number), tmp_path, RUNNER_INDEX=str(number)), ("a",))
                    await trio.sleep(10)
            running.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert sent == [["0", "1", "2", "3", "4"]]


def test_what_is_refused_is_refused_for_each(tmp_path: Path) -> None:
    async def refuse(attempts: Sequence[Attempt]) -> None:
        raise Rejected("no")

    async def main() -> int:
        gathering = Gathering(refuse, most=4)
        refused = 0
        async with trio.open_nursery() as running:
            running.start_soon(gathering.run)

            async def one(name: str) -> None:
                nonlocal refused
                with pytest.raises(Rejected):
                    await gathering.add(attempt(name, tmp_path), ("a",))
                refused += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(one, "a")
                nursery.start_soon(one, "b")
            running.cancel_scope.cancel()
        return refused

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 2


def test_withdrawn_before_it_is_sent(tmp_path: Path) -> None:
    """Whoever gives up in time has never submitted anything."""
    sent: list[str] = []

    async def submit(attempts: Sequence[Attempt]) -> None:
        sent.extend(attempt.session for attempt in attempts)

    async def main() -> None:
        gathering = Gathering(submit, most=4)
        async with trio.open_nursery() as running:
            running.start_soon(gathering.run)
            with trio.move_on_after(0.01):
                await gathering.add(attempt("a", tmp_path), ("a",))
            await gathering.settle(attempt("a", tmp_path).name)
            await gathering.add(attempt("b", tmp_path), ("a",))
            running.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert sent == ["b"]


# Ids and the shared folder


def test_ids_are_compressed(tmp_path: Path) -> None:
    array = Array(tmp_path, tuple(map(str, range(6))), 1, "7")
    assert scancel.compressed([(array, task) for task in (0, 1, 2, 4)]) == ["7_[0-2,4]"]
    assert scancel.compressed([(array, task) for task in range(6)]) == ["7"]


def test_spool(tmp_path: Path) -> None:
    """A later runner finds what an earlier one has laid out, by name; what was dropped is gone, and cannot be run."""
    spool = Spool(tmp_path / "spool")
    attempts = [attempt(str(number), tmp_path) for number in range(5)]
    array = spool.make(attempts, 2, "")
    array.submitted("12")
    later = Spool(tmp_path / "spool")
    found = [place for one in attempts if (place := later.place(one.name))]
    assert [array.id(place) for array, place in found] == ["12_0.0", "12_0.1", "12_1.0", "12_1.1", "12_2.0"]
    assert list(array.mates(2)) == [4]
    later.drop(found[0][0])
    assert later.place(attempts[0].name) is None
    assert Spool(tmp_path / "spool").place(attempts[0].name) is None
    assert not array.folder.exists()


# What is made of what Slurm says


ROW = Row("RUNNING", 0, 0, 1.0, "n1", "None")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (replace(ROW, state="COMPLETED"), (Outcome.SUCCEEDED, 0)),
        (replace(ROW, state="FAILED", code=137), (Outcome.FAILED, 137)),
        (replace(ROW, state="FAILED", code=None, reason="exit code 9 or 137"), (Outcome.FAILED, None)),
        (replace(ROW, state="FAILED", code=0, signal=11), (Outcome.LOST, None)),
        (replace(ROW, state="FAILED", code=15, signal=53), (Outcome.LOST, None)),
        (replace(ROW, state="FAILED", code=125), (Outcome.LOST, None)),
        (replace(ROW, state="OUT_OF_MEMORY"), (Outcome.OUT_OF_MEMORY, None)),
        (replace(ROW, state="TIMEOUT", signal=15), (Outcome.TIMED_OUT, None)),
        (replace(ROW, state="CANCELLED", signal=15), (Outcome.CANCELLED, None)),
        (replace(ROW, state="NODE_FAIL"), (Outcome.LOST, None)),
        (replace(ROW, state="PREEMPTED"), (Outcome.LOST, None)),
        (None, (Outcome.LOST, None)),
    ],
)
def test_without_a_record(row: Row | None, expected: tuple[Outcome, int | None]) -> None:
    """Slurm's word, where it has one; with none at all it is lost, and never succeeded."""
    ended = outcome.ended(None, row, began=True, alone=True, asked=False, limit=None)
    assert (ended.outcome, ended.exit_code) == expected


def test_a_pack_that_completed_says_nothing_of_its_sessions() -> None:
    row = replace(ROW, state="COMPLETED")
    ended = outcome.ended(None, row, began=False, alone=False, asked=False, limit=None)
    assert (ended.outcome, ended.began) == (Outcome.LOST, False)


RECORD = Record(0, "", 1.0, 2.0, None, None, 0, "n1", "7")


@pytest.mark.parametrize(
    ("record", "row", "expected"),
    [
        (RECORD, None, (Outcome.SUCCEEDED, 0)),
        (RECORD._replace(code=3), None, (Outcome.FAILED, 3)),
        (RECORD._replace(code=1, killed=1), None, (Outcome.OUT_OF_MEMORY, 1)),
        (RECORD._replace(killed=1), None, (Outcome.SUCCEEDED, 0)),
        (RECORD._replace(code=137, killed=None), replace(ROW, state="OUT_OF_MEMORY"), (Outcome.OUT_OF_MEMORY, 137)),
        (RECORD._replace(code=137, killed=None), replace(ROW, state="FAILED"), (Outcome.FAILED, 137)),
        (RECORD._replace(code=9, why="timeout"), None, (Outcome.TIMED_OUT, 9)),
        (RECORD._replace(code=143, why="asked"), None, (Outcome.CANCELLED, 143)),
        (RECORD._replace(code=9, why="slurm"), replace(ROW, state="TIMEOUT"), (Outcome.TIMED_OUT, 9)),
        (RECORD._replace(code=0, why="slurm"), replace(ROW, state="CANCELLED"), (Outcome.CANCELLED, 0)),
        (RECORD._replace(code=0, why="slurm"), replace(ROW, state="PREEMPTED"), (Outcome.LOST, 0)),
        (RECORD._replace(code=0, why="slurm"), None, (Outcome.LOST, 0)),
    ],
)
def test_with_a_record(record: Record, row: Row | None, expected: tuple[Outcome, int | None]) -> None:
    ended = outcome.ended(record, row, began=True, alone=True, asked=False, limit=60)
    assert (ended.outcome, ended.exit_code) == expected


def test_states_that_nobody_knows_still_run() -> None:
    assert not replace(ROW, state="SOMETHING_NEW").final
    assert not replace(ROW, state="REQUEUED").final


async def a_job(folder: Path) -> Job:
    return Job(Array(folder, ("a", "b"), 1, "7"), 0)


def test_node_failure_that_is_taken_back(tmp_path: Path) -> None:
    """Where Slurm puts a job back into the queue, its failure was none."""

    async def main() -> None:
        job = await a_job(tmp_path)
        job.seen(replace(ROW, state="NODE_FAIL"), trio.current_time(), 60)
        await trio.sleep(1)
        assert not job.settled
        job.seen(replace(ROW, state="PENDING", began=None, host=None), trio.current_time(), 60)
        await trio.sleep(100)
        assert not job.settled
        job.seen(replace(ROW, state="NODE_FAIL"), trio.current_time(), 60)
        await trio.sleep(100)
        assert job.settled

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize(("gap", "vanished"), [(1, True), (1000, False)])
def test_vanished_from_the_queue(tmp_path: Path, gap: float, vanished: bool) -> None:
    """What waited a moment ago and is in no list any more was taken out; after a long while it may have run."""

    async def main() -> bool:
        job = await a_job(tmp_path)
        job.seen(replace(ROW, state="PENDING", began=None, host=None), trio.current_time(), 60)
        for _ in range(MISSES):
            await trio.sleep(gap)
            job.seen(None, trio.current_time(), 60)
        return job.vanished

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) is vanished


def with_commands(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment in which Slurm's commands are these scripts of sh; what is not given takes all, and says nothing."""
    commands = {"sbatch": "echo 7", "squeue": "exit 0", "sacct": "exit 0", "scontrol": "exit 0"} | scripts
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("accounting", "log", "expected"),
    [
        ("echo '7_[0]|CANCELLED by 0|0:0|None assigned|Unknown'", False, (Outcome.CANCELLED, False)),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", False, (Outcome.LOST, False)),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", True, (Outcome.LOST, True)),
    ],
)
def test_never_seen_in_the_queue(tmp_path: Path, accounting: str, log: bool, expected: tuple[Outcome, bool]) -> None:
    """What was gone before the first look was cancelled if accounting says so, and has begun if it has left a log."""
    environ = with_commands(tmp_path, sacct=accounting)
    one = attempt("x", tmp_path)
    if log:
        Path(one.stdout).touch()

    async def main() -> AttemptEnd:
        async with Slurm({}, environ, tmp_path / "jobs") as backend:
            return await backend.wait(await backend.submit(one))

    ended = trio.run(main)
    assert (ended.outcome, ended.began) == expected


def test_without_a_configuration_nothing_is_refused_for_good(tmp_path: Path) -> None:
    """It is this machine that lacks something, not the sweep."""
    nowhere = "echo 'sbatch: fatal: Could not establish a configuration source' >&2; exit 1"
    environ = with_commands(tmp_path, **dict.fromkeys(("sbatch", "squeue", "scontrol"), nowhere))

    async def main() -> None:
        async with Slurm({}, environ, tmp_path / "jobs") as backend:
            await backend.submit(attempt("x", tmp_path))

    with pytest.raises(EnvironmentFailed, match="finds no configuration of Slurm here"):
        trio.run(main)


def test_what_was_accepted_is_not_refused_with_the_rest(tmp_path: Path) -> None:
    """Two are too many at once; of the two halves, the second is refused for good."""
    sbatch = (
        "case $* in *--array=0-1*) echo 'sbatch: error: AssocMaxSubmitJobLimit' >&2; exit 1 ;; esac\n"
        "if mkdir \"$0.once\" 2>/dev/null; then echo 7; else echo 'sbatch: error: no such account' >&2; exit 1; fi"
    )
    environ = with_commands(tmp_path, sbatch=sbatch)
    came: dict[str, str] = {}

    async def main() -> None:
        async with Slurm({}, environ, tmp_path / "jobs") as backend, trio.open_nursery() as nursery:

            async def submit(one: Attempt) -> None:
                try:
                    came[one.session] = await backend.submit(one)
                except Rejected as refusal:
                    came[one.session] = refusal.reason

            for place, name in enumerate("xy"):
                nursery.start_soon(submit, attempt(name, tmp_path, RUNNER_INDEX=str(place)))

    trio.run(main)
    assert came == {"x": "7_0", "y": "no such account"}


@pytest.mark.parametrize(("state", "after"), [(None, ["", "7"]), ("RUNNING", ["5", "5:7"]), ("FAILED", ["", "7"])])
def test_dead_arrays_keep_nobody_waiting(tmp_path: Path, state: str | None, after: list[str]) -> None:
    """What an earlier runner has left without a record is waited for only where Slurm says that it may still run."""
    jobs = tmp_path / "jobs"
    left = Spool(jobs).make([attempt("left", tmp_path)], 1, "")
    left.submitted("5")
    row = f"5|0|{state}|0|1795632111|n1|None|{left.name}"
    environ = with_commands(
        tmp_path,
        sbatch='echo "$*" >>"$0.calls"; echo $((6 + $(wc -l <"$0.calls")))',
        squeue=f"echo '{row}'" if state else "exit 0",
    )

    async def main() -> None:
        async with Slurm({"max_parallel": 1}, environ, jobs) as backend:
            await backend.live_jobs("0123456789ab-")
            for name in "xy":
                await backend.submit(attempt(name, tmp_path))

    trio.run(main)
    calls = (tmp_path / "sbatch.calls").read_text().splitlines()
    assert ["".join(re.findall(r"--dependency=afterany:(\S+)", call)) for call in calls] == after


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ({"max_parallel": 1}, [" Dependency=", " Dependency=afterany:5"]),
        ({"max_parallel": 2}, [" Dependency=", " Dependency="]),
        ({"max_parallel": 1, "options": ["--dependency=singleton"]}, ["", ""]),
    ],
)
def test_what_is_taken_up_waits_for_no_more_than_it_has_to(
    tmp_path: Path, options: dict[str, Any], after: list[str]
) -> None:
    """Of two arrays of an earlier runner the second waits for the first, unless both may run today, or the file says for what."""
    jobs = tmp_path / "jobs"
    left = [attempt(name, tmp_path) for name in "xy"]
    rows = []
    for id_, one in zip("56", left, strict=True):
        array = Spool(jobs).make([one], 1, "")
        array.submitted(id_)
        rows.append(f"{id_}|0|PENDING|0|N/A||Dependency|{array.name}")
    environ = with_commands(
        tmp_path,
        squeue="cat <<'EOF'\n" + "\n".join(rows) + "\nEOF",
        scontrol='case $1 in update) echo "$*" >>"$0.calls"; esac',
    )

    async def main() -> None:
        async with Slurm(options, environ, jobs) as backend:
            await backend.live_jobs("0123456789ab-")
            for one in left:
                await backend.submit(one)

    trio.run(main)
    throttle = f"ArrayTaskThrottle={options['max_parallel']}"
    calls = (tmp_path / "scontrol.calls").read_text().splitlines()
    assert calls == [f"update JobId={id_} {throttle}{what}" for id_, what in zip("56", after, strict=True)]


def test_lists_are_read(tmp_path: Path) -> None:
    """`squeue` and `sacct` as they print, with a task that waits, one that failed, and an array of which only one row is left."""
    lines = {
        "squeue": (
            "12  |0  |FAILED  |35072  |1795632111  |n1  |NonZeroExitCode  |tag  \n"
            "12  |1  |PENDING  |0  |N/A  |  |Priority  |tag  \n"
            "13  |N/A  |CANCELLED  |0  |1795632111  |  |None  |other  \n"
        ),
        "sacct": "12_0|FAILED|9:0|n1|1795632111\n12_1|CANCELLED by 0|0:0|None assigned|1795632111\n"
        "14_[0-2,5%4]|CANCELLED by 0|0:0|None assigned|Unknown\n",
    }
    environ = with_commands(tmp_path, **{name: f"cat <<'EOF'\n{text}EOF" for name, text in lines.items()})

    async def main() -> None:
        queued = await squeue.queued(environ, ["tag", "other"])
        assert queued["tag"]["12", 0] == Row("FAILED", 137, 0, 1795632111.0, "n1", "NonZeroExitCode")
        assert queued["tag"]["12", 1].waits_for == "for resources"
        assert queued["other"]["13", squeue.REST].began is None
        accounted = await squeue.accounted(environ, ["12"])
        assert (accounted["12", 0].code, accounted["12", 0].reason) == (None, "exit code 9 or 137")
        assert (accounted["12", 1].state, accounted["12", 1].began) == ("CANCELLED", None)
        assert accounted["14", squeue.REST].state == "CANCELLED"

    trio.run(main)


# The wrapper


@dataclass(frozen=True)
class Carrier:
    """What carries out a task: a shell, or the interpreter that it finds; that is for packs only."""

    shell: tuple[str, ...]
    python: str = ""

    def make(self, spool: Spool, attempts: Sequence[Attempt], setup: str = "") -> Array:
        return spool.make(attempts, 5 if self.python or len(attempts) > 1 else 1, setup, self.python)

    def start(self, script: str, **environ: str) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "SLURM_ARRAY_TASK_ID": "0",
            "SLURM_ARRAY_JOB_ID": "7",
            "SLURMD_NODENAME": "n1",
        } | environ
        return subprocess.Popen([*self.shell, "-c", script], env=environ, stderr=subprocess.PIPE)


class Task:
    """An array task, carried out here."""

    def __init__(self, carrier: Carrier, folder: Path, attempts: Sequence[Attempt], setup: str = "") -> None:
        self._below = bool(carrier.python)
        self.array = carrier.make(Spool(folder / "spool"), attempts, setup)
        self.process = carrier.start((self.array.folder / "script").read_text())

    @property
    def pid(self) -> int:
        """Of what carries it out: the shell, or the interpreter below it."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text()) if self._below else pid

    def send(self, number: signal.Signals, heard: Callable[[], object]) -> None:
        """Send this until it has been heard, as runner does: bash hears only of the second, where the first comes at the very
        moment at which it begins to wait.
        """
        for _ in range(60):
            self.process.send_signal(number)
            for _ in range(100):
                if heard():
                    return
                time.sleep(0.01)
        raise AssertionError(f"{number.name} was not heard")

    def end(self, number: signal.Signals | None = None) -> list[Record]:
        """What it has recorded, once it has ended, perhaps of this signal."""
        if number is not None:
            self.send(number, lambda: self.process.poll() is not None)
        self.process.communicate(timeout=60)
        self.array.collect()
        return [self.array.records[place] for place in sorted(self.array.records)]


CARRIERS = {shell[0]: Carrier(tuple(shell)) for shell in SHELLS} | {"python": Carrier(tuple(SHELLS[0]), sys.executable)}


def taken(pid: int, number: int) -> bool:
    """Whether a process has no such signal left to take."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd:", "ShdPnd:"))]
    return not any(mask >> (number - 1) & 1 for mask in masks)


def state(pid: int) -> str:
    """A process's state in one letter, as `ps` has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def dealt_with(pid: int, number: int) -> bool:
    """Whether a process has taken all such signals, and waits again."""
    return taken(pid, number) and state(pid) == "S"


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
class TestTask:
    def test_hostile(self, carrier: Carrier, tmp_path: Path) -> None:
        """Folders, arguments and variables are nobody's syntax."""
        odd = tmp_path / "a 'b' $(id)"
        odd.mkdir()
        hostile = "a'b\"$(id)`id`\n*;é🐍"
        one = attempt("x", odd, ("sh", "-c", 'printf "%s|%s|%s" "$PLAIN" "$1" "$PWD"', "sh", hostile), PLAIN=hostile)
        [record] = Task(carrier, odd, [one]).end()
        assert (record.code, record.why, record.host, record.job) == (0, "", "n1", "7")
        assert Path(one.stdout).read_text() == f"{hostile}|{hostile}|{odd}"

    def test_setup(self, carrier: Carrier, tmp_path: Path) -> None:
        """It sees the job's variables, and the session what it makes; the file's own come last."""
        script = 'echo "$MADE|$PLAIN"'
        one = attempt("x", tmp_path, script, PLAIN="a 'b'")
        [record] = Task(carrier, tmp_path, [one], "export MADE=$SLURM_ARRAY_JOB_ID PLAIN=setup").end()
        assert (record.code, Path(one.stdout).read_text()) == (0, "7|a 'b'\n")

    def test_pack(self, carrier: Carrier, tmp_path: Path) -> None:
        """One after the other, each with its own end; the last task has what is left."""
        commands = ["exit 3", "kill -9 $$", "sleep 0.01", "echo fine"]
        ends = Task(carrier, tmp_path, [attempt(c[:4], tmp_path, c) for c in commands]).end()
        assert [record.code for record in ends] == [3, 137, 0, 0]
        assert [record.by_shell for record in ends] == [False] * 4
        assert (tmp_path / "echo.out").read_text() == "fine\n"

    def test_what_cannot_be_started(self, carrier: Carrier, tmp_path: Path) -> None:
        """Its log says why, where it can be written; it costs the next one nothing."""
        missing, folder = attempt("a", tmp_path, ("no-such-program",)), attempt("b", tmp_path, ("/dev/null",))
        nowhere = replace(attempt("c", tmp_path), workdir=str(tmp_path / "gone"))
        unwritable = replace(attempt("d", tmp_path), stdout=str(tmp_path / "gone" / "d.out"))
        ends = Task(carrier, tmp_path, [missing, folder, nowhere, unwritable, attempt("e", tmp_path)]).end()
        assert [(record.code, record.why) for record in ends] == [
            (127, ""),
            (126, ""),
            (126, ""),
            (126, "broken"),
            (0, ""),
        ]
        assert "no-such-program" in Path(missing.stderr).read_text()

    def test_timeout(self, carrier: Carrier, tmp_path: Path) -> None:
        """TERM to the whole tree, and KILL for what does not hear it."""
        deaf = replace(attempt("x", tmp_path, "(trap '' TERM; sleep 100); true"), timeout=0.2, grace=0.2)
        [record] = Task(carrier, tmp_path, [deaf]).end()
        assert (record.why, record.code) == ("timeout", 143)

    def test_a_timeout_that_is_not_reached_where_hangups_are_ignored(self, carrier: Carrier, tmp_path: Path) -> None:
        """As below `nohup`, which no trap of a shell can undo."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            task = Task(carrier, tmp_path, [replace(attempt("x", tmp_path, "sleep 0.1"), timeout=100)])
        finally:
            signal.signal(signal.SIGHUP, before)
        [record] = task.end()
        assert (record.why, record.code) == ("", 0)

    def test_asked(self, carrier: Carrier, tmp_path: Path) -> None:
        """Only a marked session ends when asked; others get the signal themselves."""
        script = "trap 'echo usr1' USR1; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"
        task = Task(carrier, tmp_path, [attempt("x", tmp_path, script), attempt("y", tmp_path, "echo y")])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.send(signal.SIGUSR1, lambda: "usr1" in log.read_text())
        task.array.ask(0)
        first, second = task.end(signal.SIGUSR1)
        assert (first.why, first.code) == ("asked", 7)
        assert (second.why, second.code) == ("", 0)

    def test_asked_for_another(self, carrier: Carrier, tmp_path: Path) -> None:
        """What is meant for one that waits behind it never reaches the one that runs."""
        script = "echo ready; while [ ! -e go ]; do sleep 0.05; done"
        task = Task(carrier, tmp_path, [attempt("x", tmp_path, script), attempt("y", tmp_path, "echo y")])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.ask(1)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            task.process.send_signal(number)
            # It has been taken and dealt with before the next one comes; one that was passed on would end the program.
            wait_for(partial(dealt_with, task.pid, number))
        (tmp_path / "go").touch()
        first, second = task.end()
        assert (first.why, first.code) == ("", 0)
        assert (second.why, second.code) == ("asked", None)

    def test_asked_too_late(self, carrier: Carrier, tmp_path: Path) -> None:
        """What is meant for one that has ended meanwhile never reaches the next one."""
        script = "echo ready; while [ ! -e go ]; do sleep 0.05; done"
        task = Task(carrier, tmp_path, [attempt("x", tmp_path, "exit 3"), attempt("y", tmp_path, script)])
        log = tmp_path / "y.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.ask(0)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            task.process.send_signal(number)
            wait_for(partial(dealt_with, task.pid, number))
        (tmp_path / "go").touch()
        assert [(record.why, record.code) for record in task.end()] == [("", 3), ("", 0)]

    @pytest.mark.parametrize("by_itself", [False, True])
    def test_ended_by_slurm_at_once(self, carrier: Carrier, tmp_path: Path, by_itself: bool) -> None:
        """Slurm's TERM comes to the program, too: that it has died of it already does not make it a failure of its own."""
        script = "echo $$; while [ ! -e go ]; do sleep 0.05; done; exit 3"
        task = Task(carrier, tmp_path, [attempt("x", tmp_path, script), attempt("y", tmp_path, "echo y")])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and log.read_text().endswith("\n"))
        carrier_pid, program = task.pid, int(log.read_text())
        os.kill(carrier_pid, signal.SIGSTOP)
        wait_for(lambda: state(carrier_pid) == "T")
        if by_itself:
            (tmp_path / "go").touch()
        else:
            os.kill(program, signal.SIGTERM)
        wait_for(lambda: state(program) == "Z")
        os.kill(carrier_pid, signal.SIGTERM)
        os.kill(carrier_pid, signal.SIGCONT)
        # A shell cannot tell that its program had ended before: it leaves that to what Slurm says.
        expected = ("" if carrier.python else "slurm", 3) if by_itself else ("slurm", 143)
        assert [(record.why, record.code) for record in task.end()] == [expected]

    @pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows the system calls")
    def test_marks_are_looked_for_afresh(self, carrier: Carrier, tmp_path: Path) -> None:
        """Each signal has the folder opened first: an NFS client might go by what it remembers of a mark."""
        calls = tmp_path / "calls"
        traced = ("strace", "-D", "-f", "-e", "trace=file", "-o", str(calls), *carrier.shell)
        one = attempt("x", tmp_path, "echo ready; while :; do sleep 0.05; done")
        task = Task(replace(carrier, shell=traced), tmp_path, [one])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.ask(0)
        [record] = task.end(signal.SIGUSR1)
        assert record.why == "asked"
        folder = re.escape(str(task.array.folder))
        looks = re.findall(rf'(open)\w*\([^"]*"{folder}"|"{folder}/0\.(ask)"', calls.read_text())
        assert re.fullmatch("ask open( ask)+", " ".join("".join(look) for look in looks))

    def test_hurried(self, carrier: Carrier, tmp_path: Path) -> None:
        """Marked and hurried, it is killed without grace."""
        one = replace(attempt("x", tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.05; done"), grace=1000.0)
        task = Task(carrier, tmp_path, [one])
        log = tmp_path / "x.out"
        wait_for(lambda: log.exists() and "ready" in log.read_text())
        task.array.ask(0)
        [record] = task.end(signal.SIGUSR2)
        assert (record.why, record.code) == ("asked", 137)

    def test_ended_by_slurm_and_begun_again(self, carrier: Carrier, tmp_path: Path) -> None:
        """TERM ends what runs and begins no more; put back into the queue, the task goes on where it was."""
        commands = [
            f"echo a >>{tmp_path}/ran",
            f"echo b | tee -a {tmp_path}/ran; sleep 0.05; test -e {tmp_path}/go || sleep 1000",
        ]
        attempts = [attempt(str(place), tmp_path, command) for place, command in enumerate([*commands, commands[0]])]
        task = Task(carrier, tmp_path, attempts)
        wait_for(lambda: (tmp_path / "1.out").exists() and "b" in (tmp_path / "1.out").read_text())
        assert [(record.code, record.why) for record in task.end(signal.SIGTERM)] == [(0, ""), (143, "slurm")]
        (tmp_path / "go").touch()
        task.process = carrier.start((task.array.folder / "script").read_text(), SLURM_RESTART_COUNT="1")
        assert [(record.code, record.why) for record in task.end()] == [(0, "")] * 3
        assert (tmp_path / "ran").read_text() == "a\nb\nb\na\n"
        assert (tmp_path / "1.out").read_text() == "b\n"

    def test_marked_before_it_began(self, carrier: Carrier, tmp_path: Path) -> None:
        """It never does."""
        array = carrier.make(Spool(tmp_path / "spool"), [attempt("x", tmp_path, "touch ran")])
        array.ask(0)
        carrier.start((array.folder / "script").read_text()).communicate(timeout=60)
        array.collect()
        assert (array.records[0].why, array.records[0].code) == ("asked", None)
        assert not (tmp_path / "ran").exists()

    def test_without_its_folder(self, carrier: Carrier, tmp_path: Path) -> None:
        """Nothing is run of an array that was dropped."""
        spool = Spool(tmp_path / "spool")
        array = carrier.make(spool, [attempt("x", tmp_path, "touch ran")])
        script = (array.folder / "script").read_text()
        spool.drop(array)
        process = carrier.start(script)
        process.communicate(timeout=60)
        assert process.returncode == outcome.NO_FOLDER
        assert not (tmp_path / "ran").exists()


def test_what_a_session_of_a_pack_leaves_behind_is_ended(tmp_path: Path) -> None:
    """Before the next one begins, which would share its cpus with it."""
    script = f"(trap '' HUP; setsid sleep 1000 & echo $! >{tmp_path}/pid) & wait; exit 4"
    after = attempt("y", tmp_path, f"! kill -0 $(cat {tmp_path}/pid)")
    first, second = Task(CARRIERS["python"], tmp_path, [attempt("x", tmp_path, script), after]).end()
    assert (first.code, first.why, second.code) == (4, "", 0)


def test_without_an_interpreter(tmp_path: Path) -> None:
    """`sh` carries out the pack where `python` does not work, and each record says so."""
    broken = Carrier(tuple(SHELLS[0]), "/bin/false")
    ends = Task(broken, tmp_path, [attempt("x", tmp_path, "exit 3"), attempt("y", tmp_path)]).end()
    assert [(record.code, record.by_shell) for record in ends] == [(3, True), (0, True)]


@pytest.mark.parametrize("unlike", ["sys.version_info = (3, 8, 18)", "sys.modules['ctypes'] = None"])
def test_an_interpreter_that_packs_cannot_use(tmp_path: Path, unlike: str) -> None:
    """A node's own at the same path may be too old, or lack a module: `sh` carries out the pack, and nothing has begun twice."""
    python = tmp_path / "python3"
    program = f"import runpy, sys; {unlike}; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    python.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -I -S -c "{program}" "$@"\n')
    python.chmod(0o755)
    old = Carrier(tuple(SHELLS[0]), str(python))
    ends = Task(old, tmp_path, [attempt("x", tmp_path, f"echo x >>{tmp_path}/ran; exit 3")]).end()
    assert [(record.code, record.by_shell) for record in ends] == [(3, True)]
    assert (tmp_path / "ran").read_text() == "x\n"


def test_record_of_nothing() -> None:
    """A record with nothing in it (a full disk) is one of an unknown end."""
    assert outcome.ended(parse("", 10.0), None, began=True, alone=True, asked=False, limit=None).outcome is Outcome.LOST


def test_names_survive(tmp_path: Path) -> None:
    """What stands in `names` is read by later versions, too."""
    array = Spool(tmp_path).make([attempt("x", tmp_path)], 3, "")
    assert json.loads((array.folder / "names").read_text()) == {"pack": 3, "names": ["0123456789ab-x-1"]}
