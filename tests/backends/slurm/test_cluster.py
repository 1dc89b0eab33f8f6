"""The backend on the real Slurm of `tests/clusters/slurm`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from runner.backends.slurm.backend import SlurmBackend
from tests.contract import Contract, Site
from tests.processes import HANG, wait_for, with_environment
from tests.slurm import SlurmCluster, SlurmFolder

pytestmark = pytest.mark.slurm


class TestContract(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path, slurm: SlurmCluster) -> Site:
        return Site(lambda: SlurmBackend({}, slurm.environ, tmp_path / "jobs"), tmp_path, patience=HANG)


class TestContractOfPacks(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path, slurm: SlurmCluster) -> Site:
        return Site(lambda: SlurmBackend({"pack": 4}, slurm.environ, tmp_path / "jobs"), tmp_path, patience=HANG)


class TestContractOfPacksWithoutPython(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path, slurm: SlurmCluster) -> Site:
        def without_python() -> SlurmBackend:
            return SlurmBackend({"pack": 4}, slurm.environ, tmp_path / "jobs", python="/no/python")

        return Site(without_python, tmp_path, patience=HANG)


@pytest.fixture
def folder(tmp_path: Path, slurm: SlurmCluster) -> Iterator[SlurmFolder]:
    with SlurmFolder(tmp_path, slurm) as folder:
        yield folder


@pytest.fixture
def lone_folder(tmp_path: Path, lone_slurm: SlurmCluster) -> Iterator[SlurmFolder]:
    with SlurmFolder(tmp_path, lone_slurm) as folder:
        yield folder


def names(folder: SlurmFolder) -> list[str]:
    """The names at Slurm of the arrays that the state has now."""
    return sorted(array.name for array in folder.path.glob(".runner/*/jobs/slurm/*"))


def task_of(folder: SlurmFolder, session: str) -> str:
    """`ARRAY_TASK` of a session's last attempt, from the state."""
    for names in folder.path.glob(".runner/*/jobs/slurm/*/names"):
        content = json.loads(names.read_text())
        for index, name in enumerate(content["names"]):
            if f"-{session}-" in name and names.with_name("job").exists():
                return f"{names.with_name('job').read_text()}_{index // content['pack']}"
    return ""


def at_once(folder: SlurmFolder) -> list[int]:
    """The number of running sessions each time one has begun; they write `+` and `-` into the file `ran`."""
    changes = [1 if line == "+" else -1 for line in (folder.path / "ran").read_text().split()]
    return [count for change, count in zip(changes, accumulate(changes), strict=True) if change > 0]


def throttled(folder: SlurmFolder, array: str, limit: int) -> bool:
    """Whether Slurm runs at most so many tasks of an array at once."""
    return f"ArrayTaskThrottle={limit} " in folder.cluster.call("scontrol", "show", "job", array)


# Outcomes


def test_outcome_of_every_ending(folder: SlurmFolder) -> None:
    """All those that do not disturb other jobs of the cluster, in one sweep: status, exit code and reason."""
    memory = "python3 -c 'bytearray(300 << 20)'"
    cases: dict[str, tuple[str, tuple[str, int | None, str | None]]] = {
        "success": ("true", ("succeeded", 0, None)),
        "exit": ("exit 3", ("failed", 3, "exit code 3")),
        "exit-137": ("exit 137", ("failed", 137, "SIGKILL")),
        "child-segv": ("sh -c 'kill -SEGV $$'; exit $?", ("failed", 139, "SIGSEGV")),
        "signal": ("kill -9 $$", ("failed", 137, "SIGKILL")),
        "memory": (memory, ("out-of-memory", 137, "memory")),
        "memory-handled": (f"{memory} || exit 1", ("out-of-memory", 1, "memory")),
        "memory-survived": (f"{memory}; exit 0", ("succeeded", 0, None)),
        "timeout": ("sleep 1000", ("timed-out", 143, "ran longer than")),
        "timeout-trapped": ("trap 'exit 9' TERM; sleep 1000 & wait", ("timed-out", 9, "ran longer than")),
        "timeout-ignored": ("trap '' TERM; while :; do sleep 1; done", ("timed-out", 137, "ran longer than")),
        "cancelled": ("touch $HERE/cancelled; sleep 1000", ("cancelled", 143, "outside of runner")),
        "killed-wrapper": ("touch $HERE/killed; sleep 1000", ("lost", None, "SIGSEGV")),
        "signalled": ("touch $HERE/signalled; sleep 1000", ("failed", 138, "SIGUSR1")),
    }
    columns = {"case": list(cases), "script": [script for script, _ in cases.values()]}
    folder.write(
        "exec: [sh, -c, $script]\nresources: {cpu: 1, mem: 128m}\ntimeout: 8s\ngrace: 1s\n"
        f"ranges: {json.dumps(columns)}\nenv: {{CASE: $case, HERE: {folder.path}}}\nzip: [[case, script]]\n"
    )
    session = {name: row["id"] for name, row in folder.by("case").items()}
    runner = folder.start("apply")
    for name, how in (
        ("cancelled", ()),
        ("killed-wrapper", ("--batch", "--signal=11")),
        ("signalled", ("--full", "--signal=10")),
    ):
        folder.wait_for_files(name.partition("-")[0])
        folder.cluster.insist("scancel", *how, task_of(folder, session[name]))
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 1, errors
    rows = folder.by("case")
    for name, (_, (status, code, reason)) in cases.items():
        row = rows[name]
        assert (row["status"], row["exit_code"]) == (status, code), (name, row)
        assert reason is None or reason in str(row["reason"]), (name, row)
    assert names(folder) == []


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("resources: {cpu: 99}\n", {}, "can never run it: PartitionConfig"),
        ("timeout: 10m\n", {"partition": "short"}, "can never run it: PartitionTimeLimit"),
        ("resources: {mem: 100g}\n", {}, "Memory specification"),
        ("", {"partition": "nowhere"}, "invalid partition"),
        ("resources: {gpu: 1}\n", {}, "generic resource"),
        ("resources: {seat: 3}\n", {"licenses": {"seat": "abaqus"}}, "license"),
    ],
)
def test_session_that_can_never_run_is_rejected(
    folder: SlurmFolder, text: str, options: dict[str, Any], words: str
) -> None:
    """With the reason that Slurm gives."""
    folder.write(f"exec: [sh, -c, exit 0]\n{text}", **options)
    done = folder.run("apply")
    assert done.returncode == 1, done.stderr
    [row] = folder.rows()
    assert row["status"] == "rejected"
    assert words in str(row["reason"])
    assert row["attempts"] == 1


def test_session_that_does_not_begin(folder: SlurmFolder) -> None:
    """While it waits it is cancelled, or loses the folder of its logs or its working directory."""
    (folder.path / "gone").mkdir()
    folder.write(
        "exec: [sh, -c, exit 0]\nworkdir: $folder\nranges: {case: [logs, work, cancel], folder: [., gone, .]}\n"
        "env: {CASE: $case}\nzip: [[case, folder]]\n",
        options=["--hold"],
    )
    runner = folder.start("apply")
    session = {name: row["id"] for name, row in folder.by("case").items()}
    wait_for(lambda: bool(task_of(folder, session["cancel"])), HANG)
    wait_for(lambda: '"waiting": "' in folder.run("status", "--format", "json").stdout, HANG)
    folder.cluster.call("scancel", task_of(folder, session["cancel"]))
    (folder.path / "gone").rmdir()
    folder.cluster.call("scontrol", "release", task_of(folder, session["work"]))
    wait_for(lambda: folder.by("case")["work"]["status"] == "failed", HANG)
    logs = folder.path / ".runner" / "sweep" / "logs"
    logs.rename(logs.with_name("elsewhere"))
    folder.cluster.call("scontrol", "release", task_of(folder, session["logs"]))
    wait_for(lambda: folder.by("case")["logs"]["status"] == "failed", HANG)
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 1, errors
    rows = folder.by("case")
    assert [(rows[case]["status"], rows[case]["exit_code"]) for case in ("logs", "work", "cancel")] == [
        ("failed", 126),
        ("failed", 126),
        ("cancelled", None),
    ]
    assert "logs" in rows["logs"]["reason"]
    assert "outside of runner" in rows["cancel"]["reason"]


def test_time_limit_of_slurm_is_a_timeout(folder: SlurmFolder) -> None:
    """The exit code is what the program made of TERM."""
    scripts = {"plain": "sleep 1000", "trapped": "trap 'exit 9' TERM; sleep 1000 & wait"}
    columns = {"case": list(scripts), "script": list(scripts.values())}
    folder.write(
        f"exec: [sh, -c, $script]\nenv: {{CASE: $case}}\nzip: [[case, script]]\nranges: {json.dumps(columns)}\n",
        options=["--time=1"],
    )
    done = folder.run("apply")
    assert done.returncode == 1, done.stderr
    rows = folder.by("case")
    assert [(rows[case]["status"], rows[case]["exit_code"]) for case in scripts] == [
        ("timed-out", 143),
        ("timed-out", 9),
    ]


@pytest.mark.parametrize("requeue", [False, True])
def test_job_of_a_failed_node(lone_folder: SlurmFolder, requeue: bool) -> None:
    """It is lost and retried; if Slurm puts it back into its queue, it is still the same attempt."""
    folder, node = lone_folder, lone_folder.cluster.node(4)
    # Whether it waits is decided before it says that it has begun.
    began = f"echo $$RUNNER_ATTEMPT >>{folder.path}/began"
    folder.write(
        f"exec: [sh, -c, 'if test -e {folder.path}/go; then {began}; else {began}; sleep 1000; fi; true']\n"
        "retry: {limit: 1, backoff: 0s}\n",
        options=[f"--nodelist={node}", *(["--requeue"] if requeue else [])],
    )
    folder.cluster.bring_back(node)
    runner = folder.start("apply")
    folder.wait_for_files("began")
    (folder.path / "go").touch()
    try:
        folder.cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        job = task_of(folder, folder.rows()[0]["id"])
        if requeue:
            wait_for(lambda: "PENDING" in folder.cluster.call("squeue", "-h", "-j", job, "-O", "State"), HANG)
            wait_for(lambda: not with_environment(f"{folder.path}/began".encode()), HANG)
    finally:
        folder.cluster.bring_back(node)
    if requeue:
        # Slurm delays the new start by two minutes, and sets the delay again when the node reports the first end.
        now = ["scontrol", "update", f"jobid={job}", "starttime=now"]
        queue = ["squeue", "-h", "-t", "all", "-j", job, "-O", "Reason:60"]

        def query(command: list[str]) -> str:
            """Its output. A job that has ended may be unknown by then."""
            return subprocess.run(
                command, env=folder.cluster.environ, capture_output=True, text=True, timeout=HANG, check=False
            ).stdout

        def again() -> bool:
            if (folder.path / "began").read_text() == "1\n1\n":
                return True
            query(now)
            if "held" in query(queue):
                # The node had not ended the first try yet: Slurm then drains the node and holds the job for its administrator.
                folder.cluster.bring_back(node)
                query(["scontrol", "release", job])
            return False

        wait_for(again, HANG)
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0, errors
    assert (folder.path / "began").read_text() == ("1\n1\n" if requeue else "1\n2\n")
    [row] = folder.rows()
    assert (row["status"], row["attempts"]) == ("succeeded", 1 if requeue else 2)


# What reaches the job


def test_resources_and_options_reach_slurm(folder: SlurmFolder) -> None:
    folder.write(
        f"exec: [sh, -c, 'touch {folder.path}/began; sleep 1000']\nresources: {{cpu: 2.5, mem: 100m, seat: 1}}\ntimeout: 90s\n"
        "grace: 0s\n",
        licenses={"seat": "matlab"},
        options=["--comment=hello"],
        partition="main",
    )
    with folder.start("apply") as runner:
        folder.wait_for_files("began")
        [name] = names(folder)
        columns = ("NumCPUs", "MinMemory", "Licenses", "TimeLimit", "Comment", "Partition")
        assert folder.cluster.jobs(name, *columns) == [["3", "100M", "matlab:1", "3:00", "hello", "main"]]
        runner.send_signal(signal.SIGINT)
        runner.communicate(timeout=HANG)
    assert runner.returncode == -signal.SIGINT
    assert [row["status"] for row in folder.rows()] == ["cancelled"]


def test_environment_and_secrets_of_a_session(folder: SlurmFolder) -> None:
    """It has its own variables, its secrets and those of `setup`, but not the caller's. No file contains a secret."""
    folder.write(
        "exec: [sh, -c, 'echo \"$$PLAIN|$$TOKEN|$$CALLERS|$$MADE\"']\nenv: {PLAIN: 'a $$b'}\nsecrets: [TOKEN]\n",
        setup="MADE=by-setup; export MADE",
    )
    done = folder.run("apply", TOKEN="hunter2-hunter2", CALLERS="no")
    assert done.returncode == 0, done.stderr
    [row] = folder.rows()
    log = Path(row["stdout"])
    assert log.read_text() == "a $b|hunter2-hunter2||by-setup\n"
    files = [path.read_bytes() for path in folder.path.rglob("*") if path.is_file() and path != log]
    assert not any(b"hunter2" in content for content in files)


def test_session_does_not_run_if_its_setup_fails(folder: SlurmFolder) -> None:
    folder.write("exec: [touch, ran]\n", setup="module load no-such-module")
    assert folder.run("apply").returncode == 1
    [row] = folder.rows()
    assert (row["status"], row["exit_code"]) == ("failed", 1)
    assert "the setup failed" in Path(row["stderr"]).read_text()
    assert not (folder.path / "ran").exists()


def test_build_runs_once_for_its_sessions(folder: SlurmFolder) -> None:
    (folder.path / "in").write_text("text\n")
    folder.write("build: cp in out; echo $SLURM_JOB_ID >where\nfiles: [in]\nexec: [cat, out, where]\nrepeat: 2\n")
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    first, second = (Path(row["stdout"]).read_text().split() for row in folder.rows())
    assert first == second
    assert first[0] == "text"
    assert first[1].isdigit()


def test_logs_follow_shows_output_of_a_running_job(folder: SlurmFolder) -> None:
    folder.write(f"exec: [sh, -c, 'echo early; while ! test -e {folder.path}/go; do sleep 0.1; done; echo late']\n")
    runner = folder.start("apply")
    [log] = folder.wait_for_files(".runner/sweep/logs/*.1.out")
    with folder.start("logs", "-f", log.name.partition(".")[0]) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "early\n"
        assert runner.poll() is None
        (folder.path / "go").touch()
        assert follower.stdout.readline() == "late\n"
        follower.communicate(timeout=HANG)
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0, errors


# Arrays, limits and packs


def test_two_thousand_sessions_in_a_few_arrays(folder: SlurmFolder) -> None:
    """Each session runs exactly once, and no files of the arrays are left."""
    calls = interposed(folder, "sbatch", 'echo >>"$0.calls"; exec $real "$@"')
    folder.write(f"exec: [sh, -c, 'echo $1 >>{folder.path}/ran', sh, $x]\nranges: {{x: 'range:2000'}}\n", pack=20)
    done = folder.run("apply", PATH=calls.path)
    assert done.returncode == 0, done.stderr
    assert sorted(map(int, (folder.path / "ran").read_text().split())) == list(range(2000))
    assert 1 <= len(calls.made()) <= 4
    assert names(folder) == []


@pytest.mark.parametrize(
    ("text", "options", "calls"),
    [
        ("repeat: 12\n", {}, 1),
        ("repeat: 24\n", {"pack": 2}, 1),
        ("ranges: {cpu: [1, 2], x: 'range:6'}\nresources: {cpu: $cpu}\nenv: {X: $x}\n", {}, 2),
        ("repeat: 12\nstop: {failures: 1}\n", {}, 4),
    ],
)
def test_max_parallel_is_never_exceeded(folder: SlurmFolder, text: str, options: dict[str, Any], calls: int) -> None:
    """In one array or several: those after the first are submitted as room gets free. `calls` counts `sbatch`."""
    counted = interposed(folder, "sbatch", 'echo >>"$0.calls"; exec $real "$@"')
    folder.write(
        f"exec: [sh, -c, 'echo + >>{folder.path}/ran; sleep 0.5; echo - >>{folder.path}/ran']\n{text}max_parallel: 3\n",
        **options,
    )
    done = folder.run("apply", "--format", "jsonl", PATH=counted.path)
    assert done.returncode == 0, done.stderr
    assert max(at_once(folder)) == 3
    began, *_, ended = map(json.loads, done.stdout.splitlines())
    assert began["max_parallel"] == 3
    assert 0 < ended["usage"]["busy"]["max_parallel"] <= 1
    assert len(counted.made()) >= calls if "stop" in text else len(counted.made()) == calls


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_adopted_array_gets_a_changed_max_parallel(folder: SlurmFolder, before: int, after: int) -> None:
    script = "echo + >>$HERE/ran; touch $HERE/began.$1; until test -e $HERE/go; do sleep 0.1; done; sleep 0.3; echo - >>$HERE/ran"
    sweep = (
        f"exec: [sh, -c, {json.dumps(script.replace('$', '$$'))}, sh, $x]\n"
        f"ranges: {{x: 'range:8'}}\nenv: {{HERE: {folder.path}}}\n"
    )
    folder.write(f"{sweep}max_parallel: {before}\n")
    assert folder.run("apply", "--detach").returncode == 0
    folder.wait_for_files("began.*", before)
    [job] = folder.wait_for_files(".runner/sweep/jobs/slurm/*/job")
    folder.write(f"{sweep}max_parallel: {after}\n")
    runner = folder.start("apply")
    wait_for(partial(throttled, folder, job.read_text(), after), HANG)
    folder.wait_for_files("began.*", max(before, after))
    (folder.path / "go").touch()
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 0, errors
    assert max(at_once(folder)[before:]) == after


def test_retries_wait_for_room_under_max_parallel(folder: SlurmFolder) -> None:
    """They go into an array of their own."""
    script = (
        "echo + >>$HERE/ran; sleep 0.5; echo - >>$HERE/ran; test -e $HERE/tried.$1 || { touch $HERE/tried.$1; exit 1; }"
    )
    folder.write(
        f"exec: [sh, -c, {json.dumps(script.replace('$', '$$'))}, sh, $x]\nranges: {{x: 'range:6'}}\nmax_parallel: 3\n"
        f"env: {{HERE: {folder.path}}}\nretry: {{limit: 1, backoff: 0s}}\n"
    )
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    assert max(at_once(folder)) == 3
    assert [row["attempts"] for row in folder.rows()] == [2] * 6


def test_failures_in_a_pack_spare_the_next_sessions(folder: SlurmFolder) -> None:
    memory = "python3 -c 'bytearray(300 << 20)'"
    scripts = ["exit 0", "exit 4", "sleep 1000", memory, "kill -9 $$", "echo fine"]
    folder.write(
        "exec: [sh, -c, $script]\ntimeout: 5s\ngrace: 5s\nresources: {mem: 128m}\n"
        f"ranges: {json.dumps({'script': scripts})}\n",
        pack=6,
    )
    done = folder.run("apply")
    assert done.returncode == 1, done.stderr
    rows = folder.by("script")
    assert [(rows[script]["status"], rows[script]["exit_code"]) for script in scripts] == [
        ("succeeded", 0),
        ("failed", 4),
        ("timed-out", 143),
        ("out-of-memory", 137),
        ("failed", 137),
        ("succeeded", 0),
    ]


def test_pack_whose_wrapper_is_killed(folder: SlurmFolder) -> None:
    """The running session is lost, ended ones keep their end, the others are submitted again although `retry` is not given."""
    folder.write(
        f"exec: [sh, -c, 'echo $1 >>{folder.path}/ran; test $1 != 1 || sleep 1000', sh, $x]\nranges: {{x: 'range:4'}}\n",
        pack=4,
    )
    runner = folder.start("apply")
    wait_for(lambda: (folder.path / "ran").exists() and (folder.path / "ran").read_text() == "0\n1\n", HANG)
    folder.cluster.insist("scancel", "--batch", "--signal=9", task_of(folder, folder.by("x")["0"]["id"]))
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == 1, errors
    rows = folder.by("x")
    assert [(rows[x]["status"], rows[x]["attempts"]) for x in "0123"] == [
        ("succeeded", 1),
        ("lost", 1),
        ("succeeded", 2),
        ("succeeded", 2),
    ]
    assert (folder.path / "ran").read_text() == "0\n1\n2\n3\n"


def test_pack_on_a_node_without_the_interpreter(folder: SlurmFolder) -> None:
    """`sh` runs it, and apply reports that once."""
    elsewhere = folder.path / "elsewhere" / "python"
    elsewhere.parent.mkdir()
    elsewhere.write_text(f'#!/bin/sh\ntest -z "$SLURM_JOB_ID" || exit 127\nexec {sys.executable} "$@"\n')
    elsewhere.chmod(0o755)
    folder.write("exec: [sh, -c, exit 0]\nrepeat: 3\n", pack=3)
    runner = f"import sys; sys.executable = {str(elsewhere)!r}; from runner.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", runner, "apply"],
        cwd=folder.path,
        env=folder.cluster.environ,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("does not work on") == 1


# Recovery


def test_apply_after_kill_adopts_running_jobs(folder: SlurmFolder) -> None:
    """It also collects those that have ended since, and submits nothing twice."""
    folder.write(
        f"exec: [sh, -c, 'echo $1 >>{folder.path}/began.$1; test $1 = 0 || while ! test -e {folder.path}/go; do sleep 0.1; "
        f"done; test $1 != 2 || exit 5', sh, $x]\nranges: {{x: 'range:4'}}\nresources: {{cpu: 8}}\n"
    )
    first = folder.start("apply")
    folder.wait_for_files("began.*", 4)
    first.kill()
    first.communicate()
    [array] = names(folder)
    folder.wait_for_files(f".runner/sweep/jobs/slurm/{array}/0.end")
    assert [folder.by("x")[x]["status"] for x in "123"] == ["running"] * 3
    second = folder.start("apply")
    wait_for(lambda: folder.by("x")["0"]["status"] == "succeeded", HANG)
    second.kill()
    second.communicate()
    (folder.path / "go").touch()
    folder.wait_for_files(f".runner/sweep/jobs/slurm/{array}/*.end", 4)
    done = folder.run("apply", "--only", "new")
    rows = folder.by("x")
    assert [(rows[x]["status"], rows[x]["exit_code"], rows[x]["attempts"]) for x in "0123"] == [
        ("succeeded", 0, 1),
        ("succeeded", 0, 1),
        ("failed", 5, 1),
        ("succeeded", 0, 1),
    ], done.stderr
    assert [path.read_text() for path in folder.wait_for_files("began.*", 4)] == ["0\n", "1\n", "2\n", "3\n"]


def test_apply_after_kill_during_sbatch_submits_nothing_twice(folder: SlurmFolder) -> None:
    """Slurm has accepted the array, but runner did not get its id: it is found by its name."""
    calls = interposed(folder, "sbatch", 'echo >>"$0.calls"; $real "$@" >/dev/null; sleep 1000')
    folder.write(f"exec: [sh, -c, 'echo $1 >>{folder.path}/ran', sh, $x]\nranges: {{x: 'range:3'}}\n")
    first = folder.start("apply", PATH=calls.path)
    wait_for(lambda: len(names(folder)) == 1 and len(folder.cluster.jobs(names(folder)[0], "State")) == 3, HANG)
    first.kill()
    calls.end(first)
    done = folder.run("apply")
    assert done.returncode == 0, done.stderr
    assert sorted((folder.path / "ran").read_text().split()) == ["0", "1", "2"]
    assert [row["attempts"] for row in folder.rows()] == [1] * 3


def test_sbatch_whose_answer_is_lost_is_not_repeated(folder: SlurmFolder) -> None:
    fault = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    calls = interposed(folder, "sbatch", f'echo >>"$0.calls"; $real "$@" >/dev/null; echo "{fault}" >&2; exit 1')
    folder.write(f"exec: [sh, -c, 'echo $1 >>{folder.path}/ran', sh, $x]\nranges: {{x: 'range:3'}}\n")
    done = folder.run("apply", PATH=calls.path)
    assert done.returncode == 0, done.stderr
    assert sorted((folder.path / "ran").read_text().split()) == ["0", "1", "2"]
    assert len(calls.made()) == 1


def test_detach_then_status_cancel_and_apply(folder: SlurmFolder) -> None:
    folder.write(
        f"exec: [sh, -c, 'while ! test -e {folder.path}/go; do sleep 0.1; done', sh, $x]\nranges: {{x: [0, 1]}}\n"
    )
    done = folder.run("apply", "--detach")
    assert done.returncode == 0, done.stderr
    assert "2 jobs still run at slurm" in done.stderr
    rows = folder.by("x")
    assert [row["status"] for row in rows.values()] == ["running"] * 2
    cancelled = folder.run("cancel", rows["1"]["id"])
    assert cancelled.returncode == 0, cancelled.stderr
    (folder.path / "go").touch()
    done = folder.run("apply", "--select", "x=0")
    assert done.returncode == 0, done.stderr
    assert {x: row["status"] for x, row in folder.by("x").items()} == {"0": "succeeded", "1": "cancelled"}


def test_interrupt_ends_queued_and_running_jobs(folder: SlurmFolder) -> None:
    """Queued jobs leave the queue; running ones have their grace."""
    folder.write(
        "exec: [sh, -c, 'trap \"echo bye; exit 7\" TERM; echo hi; sleep 1000 & wait']\nrepeat: 60\nresources: {cpu: 4}\n"
    )
    runner = folder.start("apply")
    folder.wait_for_files(".runner/sweep/logs/*.1.out", 4)
    [name] = names(folder)
    runner.send_signal(signal.SIGINT)
    _, errors = runner.communicate(timeout=HANG)
    assert runner.returncode == -signal.SIGINT, errors
    rows = folder.rows()
    assert {row["status"] for row in rows} == {"cancelled"}
    assert 4 <= len([row for row in rows if row["exit_code"] == 7]) <= 8
    alive = {"PENDING", "RUNNING", "COMPLETING"}
    wait_for(lambda: not alive & {state for [state] in folder.cluster.jobs(name, "State")}, HANG)


def test_apply_survives_a_restart_of_the_controller(lone_folder: SlurmFolder) -> None:
    """Running jobs continue, submissions wait, and the outage is reported once."""
    folder = lone_folder
    (folder.path / "two.yaml").write_text("backend: slurm\nexec: [sh, -c, exit 0]\nrepeat: 2\n")
    folder.write(
        f"exec: [sh, -c, 'touch {folder.path}/began.$1; while ! test -e {folder.path}/go; do sleep 0.1; done', sh, $x]\n"
        "ranges: {x: [0, 1]}\n"
    )
    runner = folder.start("apply")
    folder.wait_for_files("began.*", 2)
    folder.cluster.stop("slurmctld")
    try:
        (folder.path / "go").touch()
        _, errors = runner.communicate(timeout=HANG)
        assert runner.returncode == 0, errors
        late = folder.start("apply", "two.yaml")
        assert late.stderr is not None
        assert late.stderr.readline() == "waiting: for Slurm's controller to answer\n"
        assert late.poll() is None
    finally:
        folder.cluster.start()
    _, errors = late.communicate(timeout=HANG)
    assert late.returncode == 0, errors
    assert "controller" not in errors


@dataclass(frozen=True)
class InterposedCommand:
    """A script in place of one of Slurm's commands, for a runner whose PATH is `path`."""

    command: Path

    @property
    def path(self) -> str:
        return f"{self.command.parent}:{os.environ['PATH']}"

    def made(self) -> list[str]:
        """A line for each call."""
        return Path(f"{self.command}.calls").read_text().splitlines(keepends=True)

    def end(self, runner: subprocess.Popen[str]) -> None:
        """Kill the script that a killed runner has left."""
        for pid in with_environment(f"{self.command}\0".encode()):
            os.kill(pid, signal.SIGKILL)
        runner.communicate()


def interposed(folder: SlurmFolder, command: str, script: str) -> InterposedCommand:
    """Put a script in place of a command; it finds the real one in `$real`."""
    path = folder.path / "bin" / command
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\nreal={shutil.which(command)}\n{script}\n")
    path.chmod(0o755)
    return InterposedCommand(path)
