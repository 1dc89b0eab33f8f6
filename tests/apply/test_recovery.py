"""What a dead runner left behind, and what the next command makes of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.apply.recovery import Recovered, recover
from runner.config.load import load
from runner.config.yaml import read
from runner.errors import EnvironmentFailed
from runner.events import AttemptEnded, BuildEnded, BuildStarted, Event
from runner.model import Attempt, Outcome, Policy
from runner.plan.plan import Plan
from runner.state import State, open_for_writing
from runner.state.host import Machine, Sight, here, sight
from tests.facts import apply_started, session, submitted
from tests.fake_backend import Cluster, FakeBackend, Script
from tests.processes import wait_for, with_environment
from tests.simulation import attempt_of, simulate

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for left-over processes in /proc")

SESSIONS = [session(number) for number in range(6)]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_for_writing(tmp_path, "s") as opened:
        opened.journal.record(apply_started())
        yield opened


def job(name: str) -> Attempt:
    return replace(attempt_of(SESSIONS[0], 1, Policy()), name=name)


# Policy, in simulated time


def recovered(
    state: State,
    *,
    outlives: bool,
    names: list[str],
    script: Script = Script(duration=1e6),  # noqa: B008
    wanted: Callable[[frozenset[str]], frozenset[str]] = frozenset,
) -> tuple[Recovered, list[Event], list[str], float]:
    """Settle what is open in the state, while jobs of these names run at a backend called `fake`."""
    events: list[Event] = []
    found: list[tuple[Recovered, list[str], float]] = []

    async def main() -> None:
        cluster = Cluster()
        async with FakeBackend(lambda _: script, cluster) as before:
            for name in names:
                await before.submit(job(name))
        backend = FakeBackend(lambda _: script, cluster)
        backend.outlives_client = outlives
        began = trio.current_time()

        def emit(event: Event) -> None:
            state.journal.record(event)
            events.append(event)

        done = await recover(state, backend, 3.0, emit, wanted, verified=lambda left, end, began: end)
        found.append((done, [each.attempt.name for each in cluster.alive], trio.current_time() - began))

    simulate(main)
    done, alive, took = found[0]
    return done, events, alive, took


def begin(state: State, backend: str = "fake") -> list[str]:
    """Submit six sessions and a build, and have the runner die; their names."""
    for one in SESSIONS:
        state.journal.record(replace(submitted(one), backend=backend))
    state.journal.record(BuildStarted(2.0, "b", "make", "s-b-build", backend))
    return [left.name for left in state.journal.open_attempts()] + ["s-b-build"]


def test_all_are_ended_at_once(state: State) -> None:
    """Each ignores TERM for all of the grace: together they take one grace, not seven."""
    names = begin(state)
    done, events, alive, took = recovered(state, outlives=False, names=names, script=Script(1e6, leaving=None))
    assert took < 4
    assert alive == []
    assert len(done.ended) == len(events) == 7
    assert state.journal.open_attempts() == []
    assert state.journal.open_builds() == []
    row = state.journal.row(SESSIONS[3].id)
    assert row is not None
    assert (row.outcome, row.reason) == (Outcome.LOST, "runner died before it ended; it still ran, and was ended")


def test_jobs_that_outlive_runner_are_adopted_and_builds_are_not(state: State) -> None:
    names = begin(state)
    done, events, alive, _ = recovered(state, outlives=True, names=[*names[1:3], names[-1]])
    assert set(done.adopted) == {left.session for left in state.journal.open_attempts()}
    assert len(done.adopted) == 2
    assert alive == names[1:3]
    assert [(e.build, e.outcome) for e in events if isinstance(e, BuildEnded)] == [("b", Outcome.LOST)]
    assert len(events) == 5


def test_jobs_of_unwanted_sessions_are_cancelled(state: State) -> None:
    """And how they ended is recorded: the backend knows."""
    names = begin(state)
    unwanted = SESSIONS[1].id
    done, events, alive, _ = recovered(state, outlives=True, names=names[1:3], wanted=lambda found: found - {unwanted})
    assert list(done.adopted) == [SESSIONS[2].id]
    assert alive == [names[2]]
    [ended] = [event for event in events if isinstance(event, AttemptEnded) and event.session == unwanted]
    assert (ended.outcome, ended.exit_code) == (Outcome.CANCELLED, 143)


def test_jobs_of_this_state_that_no_record_leads_to_are_ended(state: State) -> None:
    """Such as those of a journal that was put back from a backup; another state's are left alone."""
    stray, foreign = f"{state.id}-{SESSIONS[0].id}-7", f"0123456789ab-{SESSIONS[0].id}-1"
    _, _, alive, _ = recovered(state, outlives=True, names=[stray, foreign])
    assert alive == [foreign]


def test_what_is_elsewhere_is_left_alone(state: State) -> None:
    """Its backend is not at hand, and knows better than we what became of it."""
    begin(state, backend="slurm")
    done, events, _, _ = recovered(state, outlives=True, names=[])
    assert (done, events) == (Recovered(), [])
    assert len(state.journal.open_attempts()) == 6
    assert len(state.journal.open_builds()) == 1


# Other machines


@pytest.mark.parametrize(
    ("there", "seen"),
    [
        (Machine("a", "boot", "1"), Sight.HERE),
        (Machine("renamed", "boot", "1"), Sight.HERE),
        (Machine("a", "boot", "2"), Sight.ELSEWHERE),
        (Machine("a", "earlier", "1"), Sight.OVER),
        (Machine("b", "another", "1"), Sight.ELSEWHERE),
        (Machine("a", None, None), Sight.HERE),
        (Machine("b", None, None), Sight.ELSEWHERE),
    ],
)
def test_what_is_seen_of_another_machine(there: Machine, seen: Sight) -> None:
    assert sight(there, Machine("a", "boot", "1")) is seen


def moved(state: State, machine: Machine) -> None:
    """Have the last apply begun on another machine."""
    with sqlite3.connect(state.folder / "journal.db") as journal:
        journal.execute("UPDATE applies SET host = ?, boot = ?, pids = ?", machine)
    journal.close()


@pytest.mark.parametrize(
    ("machine", "named"),
    [
        (Machine("login2", "another boot", "1"), "on host `login2`"),
        (here()._replace(pids="1"), "in another container"),
    ],
)
def test_what_may_run_where_it_cannot_be_seen_is_not_called_gone(state: State, machine: Machine, named: str) -> None:
    begin(state, backend="local")
    moved(state, machine)
    with pytest.raises(EnvironmentFailed, match=named) as caught:
        recovered(state, outlives=True, names=[])
    assert "runner cancel --gone" in (caught.value.hint or "")
    assert len(state.journal.open_attempts()) == 6


def test_a_machine_that_was_started_again_has_left_nothing(state: State) -> None:
    begin(state, backend="local")
    moved(state, here()._replace(boot="an earlier one"))
    done, events, _, _ = recovered(state, outlives=True, names=[])
    assert len(done.ended) == len(events) == 7
    row = state.journal.row(SESSIONS[0].id)
    assert row is not None
    assert "started again since" in (row.reason or "")


# Real processes


def runner(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environ}
    )


def results(folder: Path) -> list[dict[str, object]]:
    return list(json.loads(runner(folder, "results", "--format", "json").stdout))


def killed(folder: Path, ready: Callable[[], bool]) -> None:
    """Kill a runner and its spawner once it is `ready`."""
    with subprocess.Popen(
        [sys.executable, "-m", "runner", "apply"], cwd=folder, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            wait_for(ready)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGSTOP)  # or it would end everything
        finally:
            process.kill()
        for child in children:
            os.kill(int(child), signal.SIGKILL)


def journalled(folder: Path, condition: str) -> bool:
    try:
        journal = sqlite3.connect(f"file:{folder}/.runner/sweep/journal.db?mode=ro", uri=True)
        try:
            return journal.execute(f"SELECT 1 FROM {condition}").fetchone() is not None
        finally:
            journal.close()
    except sqlite3.OperationalError:
        return False


@pytest.fixture
def unmarked(tmp_path: Path) -> Iterator[bytes]:
    """Sessions that hide whose they are: text of their command line. Two processes, the second by descent alone."""
    text = f"77{time.time_ns() % 10**9}"
    (tmp_path / "sweep.yaml").write_text(
        f"exec: [env, -i, /bin/sh, -c, 'test -e {tmp_path}/second || {{ sleep {text} & sleep {text}; }}']\ngrace: 1s\n"
    )
    yield text.encode()
    for pid in with_environment(text.encode()):
        os.kill(pid, signal.SIGKILL)


def sleepers(text: bytes) -> list[int]:
    return with_environment(b"sleep\0" + text)


@linux
@pytest.mark.parametrize("command", ["apply", "cancel", "prune"])
def test_leftovers_without_a_mark_are_found_by_their_leader(tmp_path: Path, unmarked: bytes, command: str) -> None:
    killed(tmp_path, lambda: len(sleepers(unmarked)) == 2 and journalled(tmp_path, "attempts WHERE started > 0"))
    assert len(sleepers(unmarked)) == 2
    (tmp_path / "second").touch()
    done = runner(tmp_path, command, *(["--yes"] if command == "prune" else []))
    assert done.returncode == 0, done.stderr
    assert sleepers(unmarked) == []
    [row] = results(tmp_path)
    assert (row["status"], row["attempts"]) == (("succeeded", 2) if command == "apply" else ("lost", 1))


@linux
def test_a_process_that_only_has_the_leaders_pid_is_spared(tmp_path: Path, unmarked: bytes) -> None:
    """Its pid was given again: it leads a session of ours, but began at another time."""
    killed(tmp_path, lambda: len(sleepers(unmarked)) == 2 and journalled(tmp_path, "attempts WHERE started > 0"))
    # Open until the end: the last connection that closes removes the WAL, which the next command would miss.
    with closing(sqlite3.connect(tmp_path / ".runner/sweep/journal.db", isolation_level=None)) as journal:
        journal.execute("UPDATE attempts SET started = started - 60")
        assert runner(tmp_path, "cancel").returncode == 0
    assert len(sleepers(unmarked)) == 2


def test_what_another_backend_has_is_not_run_here_as_well(tmp_path: Path) -> None:
    """A session whose job a cluster has, or may have, runs already: it counts as not succeeded, and is reported."""
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: [0, 1]}\n")
    sweep = load(read(str(tmp_path / "sweep.yaml")), tmp_path)
    there, here_ = Plan.of(sweep)
    with open_for_writing(tmp_path, "sweep") as opened:
        opened.journal.record(replace(apply_started(recipe=Plan.of(sweep).recipe), backend="slurm"))
        opened.journal.record(replace(submitted(there), backend="slurm"))
    done = runner(tmp_path, "apply")
    assert done.returncode == 1
    assert "1 job still runs at slurm; `runner apply sweep.yaml --backend slurm` adopts it" in done.stderr
    assert [(row["id"], row["status"], row["attempts"]) for row in results(tmp_path)] == [
        (there.id, "lost", 1),
        (here_.id, "succeeded", 1),
    ]
    assert runner(tmp_path, "apply", "--fresh").returncode == 1
    assert [row["attempts"] for row in results(tmp_path)] == [1, 2]


@linux
def test_a_copy_of_the_state_leaves_the_originals_sessions_alone(tmp_path: Path) -> None:
    """`cp -r` while the original lives: they carry the original's mark, and are not the copy's."""
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    (original / "sweep.yaml").write_text(
        f"exec: [sh, -c, 'test -e {tmp_path}/go || {{ touch {tmp_path}/waits; sleep 1000; }}']\n"
    )
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=original, stderr=subprocess.PIPE) as live:
        try:
            wait_for(lambda: (tmp_path / "waits").exists() and journalled(original, "attempts WHERE started > 0"))
            subprocess.run(["cp", "-r", str(original), str(copy)], check=True)
            (tmp_path / "go").touch()
            assert runner(copy, "apply").returncode == 0
            assert live.poll() is None
            assert [row["status"] for row in results(original)] == ["running"]
            assert runner(original, "cancel").returncode == 0
        finally:
            live.kill()
    assert [(row["status"], row["attempts"]) for row in results(copy)] == [("succeeded", 2)]


@linux
def test_a_left_over_build_is_ended_before_its_copy_is_made_anew(tmp_path: Path) -> None:
    text = f"88{time.time_ns() % 10**9}"
    (tmp_path / "a.txt").write_text("input")
    (tmp_path / "sweep.yaml").write_text(
        f"exec: [test, -e, product]\nbuild: test -e {tmp_path}/second || sleep {text}; pwd; touch product\n"
        "files: [a.txt]\ngrace: 1s\n"
    )
    killed(tmp_path, lambda: len(sleepers(text.encode())) == 1)
    assert journalled(tmp_path, "builds WHERE outcome IS NULL")
    (tmp_path / "second").touch()
    done = runner(tmp_path, "apply")
    assert done.returncode == 0, done.stderr
    assert sleepers(text.encode()) == []
    journal = sqlite3.connect(tmp_path / ".runner/sweep/journal.db")
    rows = journal.execute("SELECT outcome, reason FROM builds ORDER BY apply").fetchall()
    journal.close()
    assert rows == [("lost", "runner died before it ended; it still ran, and was ended"), ("succeeded", None)]


@linux
def test_prune_forgets_no_session_that_runs(tmp_path: Path, unmarked: bytes) -> None:
    """Not those of a live apply, nor, without `--yes`, anything; what is left over it ends first."""
    killed(tmp_path, lambda: len(sleepers(unmarked)) == 2 and journalled(tmp_path, "attempts WHERE started > 0"))
    (tmp_path / "sweep.yaml").write_text("exec: 'true'\ngrace: 1s\n")
    dry = runner(tmp_path, "prune")
    assert dry.stdout.startswith("would remove 1 orphaned session")
    assert len(sleepers(unmarked)) == 2
    assert runner(tmp_path, "prune", "--yes").stdout.startswith("removed 1 orphaned session")
    assert sleepers(unmarked) == []
    assert journalled(tmp_path, "applies")
    assert not journalled(tmp_path, "attempts")


@linux
def test_a_dry_prune_works_beside_a_live_apply(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: sleep 1000\ngrace: 1s\n")
    with subprocess.Popen([sys.executable, "-m", "runner", "apply"], cwd=tmp_path, stderr=subprocess.PIPE) as live:
        try:
            wait_for(lambda: journalled(tmp_path, "attempts WHERE started > 0"))
            (tmp_path / "other.yaml").write_text("name: sweep\nexec: 'true'\n")
            assert runner(tmp_path, "prune", "other.yaml").stdout.startswith("would remove 0 orphaned sessions")
            assert runner(tmp_path, "prune", "other.yaml", "--yes").returncode == 3
            assert runner(tmp_path, "cancel").returncode == 0
        finally:
            live.kill()


def test_prune_frees_builds_that_no_session_uses(tmp_path: Path) -> None:
    sweep = "exec: test -e product\nbuild: touch product $O\nfiles: [a.txt]\nranges: {O: [x, y]}\n"
    (tmp_path / "a.txt").write_text("input")
    (tmp_path / "sweep.yaml").write_text(sweep)
    assert runner(tmp_path, "apply").returncode == 0
    builds = tmp_path / ".runner/sweep/builds"
    assert len([path for path in builds.iterdir() if path.is_dir()]) == 2
    (tmp_path / "sweep.yaml").write_text(sweep.replace("[x, y]", "[x]"))
    assert "1 build," in runner(tmp_path, "prune").stdout
    assert runner(tmp_path, "prune", "--yes").returncode == 0
    [kept] = [path for path in builds.iterdir() if path.is_dir()]
    assert (kept / "x").exists()
    assert runner(tmp_path, "apply").returncode == 0
    assert [row["attempts"] for row in results(tmp_path)] == [1]
