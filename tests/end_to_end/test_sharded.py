"""`--shard`, `--frozen` and `merge` as a pipeline calls them: real processes, exact exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.state.lock import hold
from tests.processes import HANG

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SWEEP = """\
exec: [sh, -c, 'echo "$1 $2"; echo "$1" >$$RUNNER_OUTPUT_DIR/x; test "$1" != bad', sh, $x, $repeat]
ranges: {x: [a, b, c, d, bad]}
repeat: 2
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        command = [sys.executable, "-m", "runner", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=HANG, check=False
        )

    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return call


def rows(run: Run, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(run("results", "--format", "json", *arguments).stdout))


def of_shard(run: Run, shard: str) -> list[str]:
    return [one["id"] for one in json.loads(run("plan", "--format", "json", "--shard", shard).stdout)["sessions"]]


def test_merged_shards_are_the_whole_sweep(run: Run, tmp_path: Path) -> None:
    parts = [of_shard(run, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(one for part in parts for one in part) == sorted(row["id"] for row in rows(run))
    for number, part in enumerate(parts, 1):
        done = run("apply", "--shard", f"{number}/3", "--state", f"shard-{number}")
        ran = [row for row in rows(run, "--state", f"shard-{number}") if row["status"] != "new"]
        assert [row["id"] for row in ran] == part
        assert done.returncode == any(row["status"] == "failed" for row in ran)
    done = run("merge", "shard-1", "shard-2", "shard-3")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    merged = rows(run)
    assert [(row["params"]["x"], row["status"], row["attempts"]) for row in merged] == [
        (x, "failed" if x == "bad" else "succeeded", 1) for x in ("a", "b", "c", "d", "bad") for _ in range(2)
    ]
    assert run("logs", "x=c,repeat=1").stdout == "c 1\n"
    assert (Path(merged[0]["output"]) / "x").read_text() == "a\n"
    assert tmp_path / ".runner" in Path(merged[0]["output"]).parents
    assert run("plan", "--exit-code", "--select", "x=a").returncode == 0
    assert run("apply", "--select", "x=a", "--junit", "junit.xml").returncode == 0
    assert "shard-1" not in run("status").stdout


def test_empty_shard_succeeds_and_can_be_merged(run: Run) -> None:
    done = run("apply", "--shard", "399/400", "--state", "none")
    assert (done.returncode, "nothing to run" in done.stderr) == (0, True)
    assert run("apply", "--shard", "1/400", "--select", "x=nothing", "--state", "none").returncode == 2
    assert run("plan", "--shard", "399/400", "--exit-code").returncode == 0
    assert run("plan", "--shard", "399/400", "--select", "x=a").returncode == 0
    assert run("plan", "--shard", "399/400", "--count", "--select", "x=a").stdout == "0\n"
    assert run("merge", "sweep.yaml", "none").returncode == 0
    assert {row["status"] for row in rows(run)} == {"new"}


def test_shard_combined_with_select_and_only(run: Run) -> None:
    """Failures outside of the shard are not its own."""
    run("apply", "--select", "x=bad,repeat=0")
    (bad,) = (row["id"] for row in rows(run) if row["status"] == "failed")
    (its,) = (number for number in (1, 2) if bad in of_shard(run, f"{number}/2"))
    assert run("apply", "--shard", f"{its}/2", "--only", "new", "--select", "repeat=0").returncode == 1
    other = run("apply", "--shard", f"{3 - its}/2", "--select", "repeat=0")
    assert other.returncode == 0, other.stderr
    assert {row["status"] for row in rows(run) if row["repeat"] == 1} == {"new"}


def test_plan_of_a_shard(run: Run) -> None:
    mine = of_shard(run, "1/2")
    done = run("plan", "--shard", "1/2")
    assert f"sweep: shard 1/2, {len(mine)} sessions ({len(mine)} new), {len(mine)} to run" in done.stdout
    assert run("plan", "--shard", "1/2", "--count").stdout == f"{len(mine)}\n"
    run("apply")
    for shard in ("1/2", "2/2"):
        assert json.loads(run("plan", "--shard", shard, "--format", "json").stdout)["orphaned"] == []
    wrong = run("plan", "--shard", "3/2")
    assert (wrong.returncode, "`3/2` is not a shard" in wrong.stderr) == (2, True)


def test_lock_balances_shards_independent_of_the_state(run: Run, tmp_path: Path) -> None:
    run("plan", "--lock")
    document = json.loads((tmp_path / "sweep.lock.json").read_text())
    lines = (tmp_path / "sweep.lock.json").read_text().splitlines()
    long = [line.replace("}", ', "seconds": 100}') if '"x": "a"' in line else line for line in lines]
    (tmp_path / "sweep.lock.json").write_text("\n".join(long) + "\n")
    together = [len(ids_of(run, "a").intersection(of_shard(run, f"{number}/2"))) for number in (1, 2)]
    assert together == [1, 1]
    before = of_shard(run, "1/2")
    run("apply", "--select", "x=b")
    assert of_shard(run, "1/2") == before
    assert len(document["sessions"]) == document["count"] == 10


def ids_of(run: Run, x: str) -> set[str]:
    return {row["id"] for row in rows(run, "--select", f"x={x}")}


def test_frozen_refuses_a_different_plan_and_names_differences(run: Run, tmp_path: Path) -> None:
    missing = run("apply", "--frozen")
    assert (missing.returncode, "`sweep.lock.json` does not exist" in missing.stderr) == (2, True)
    assert run("plan", "--lock").stderr == "wrote `sweep.lock.json`: 10 sessions\n"
    assert run("apply", "--frozen", "--select", "x=a").returncode == 0
    (tmp_path / "sweep.yaml").write_text(
        SWEEP.replace("[a,", "[a, e, f, g,").replace(", d", "").replace("echo", "printf")
    )
    done = run("apply", "--frozen")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: the plan differs from `sweep.lock.json`: 6 added, 2 removed, 8 changed\n  + x=e\n"
    )
    assert "\n  + x=e repeat=1\n" in done.stderr
    assert "\n  - x=d\n" in done.stderr
    assert "\n  … and 1 more added\n" in done.stderr
    assert "\n      exec was sh -c 'echo " in done.stderr
    assert "\n      exec is  sh -c 'printf " in done.stderr
    assert run("plan", "--frozen").returncode == 2
    assert {row["status"] for row in rows(run)} == {"new"}  # nothing was started
    assert "wrote `sweep.lock.json`: 14 sessions (6 added, 2 removed, 8 changed)" in run("plan", "--lock").stderr
    assert run("plan", "--frozen").returncode == 0


def test_lock_refuses_options_that_select(run: Run) -> None:
    for option in (["--select", "x=a"], ["--shard", "1/2"], ["--frozen"]):
        assert run("plan", "--lock", *option).returncode == 2


def test_lock_has_known_durations(run: Run, tmp_path: Path) -> None:
    run("apply", "--select", "x=a")
    run("apply", "--select", "x=bad")
    run("plan", "--lock")
    sessions = json.loads((tmp_path / "sweep.lock.json").read_text())["sessions"]
    assert [one["params"]["x"] for one in sessions if "seconds" in one] == ["a", "a"]


def test_refused_merge_creates_nothing(run: Run, tmp_path: Path) -> None:
    run("apply", "--state", "one", "--select", "x=a")
    (tmp_path / "other.yaml").write_text("exec: ['true']\n")
    run("apply", "other.yaml", "--state", "other")
    for arguments, code, said in (
        (["one", "nowhere"], 2, "no state of sweep `sweep` in `nowhere`"),
        (["one", "other"], 2, "no state of sweep `sweep` in `other`"),
        (["other/other"], 2, "`other/other` has the state of sweep `other`, not of `sweep`"),
        (["sweep.yaml"], 2, "no folder to merge"),
    ):
        done = run("merge", *arguments)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / ".runner").exists()
    with hold(tmp_path / "one" / "sweep"):
        done = run("merge", "one")
        assert (done.returncode, "holds the state `one/sweep`" in done.stderr) == (3, True)
    assert not (tmp_path / ".runner").exists()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "journal.db").write_bytes(b"no database at all, but long enough to have a header" * 40)
    done = run("merge", "one", "torn")
    assert (done.returncode, "damaged" in done.stderr) == (3, True)
    assert "hint: copy `torn` again, or merge the others without it\n" in done.stderr
    assert not (tmp_path / ".runner").exists()
    done = run("merge", "one/sweep", "--state", "one")
    assert (done.returncode, "is the state to merge into" in done.stderr) == (2, True)


@pytest.mark.parametrize("folder", ["job", "job/.runner", "job/.runner/sweep"])
def test_merge_finds_the_state_in_a_folder(run: Run, folder: str) -> None:
    run("apply", "--state", "job/.runner", "--select", "x=a")
    assert run("merge", folder).returncode == 0
    assert [row["status"] for row in rows(run, "--select", "x=a")] == ["succeeded"] * 2
