"""One state and two sweep files, one sweep file and two states: said before anything runs, and nothing of another is removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import HANG

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SWEEP = "exec: [echo, $x]\nranges: {x: [1, 2, 3]}\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=tmp_path,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "xdg")},
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )

    return call


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_renamed_file_is_told_of_the_state_that_has_its_sessions(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "o.yaml").write_text(SWEEP)
    assert "warning" not in run("apply", "o.yaml").stderr
    (tmp_path / "o.yaml").rename(tmp_path / "p.yaml")
    said = run(command, "p.yaml").stderr
    assert "warning: the state `o` has 3 sessions of this sweep, and this one has none" in said
    assert "hint: `name: o` in the sweep file uses it" in said
    (tmp_path / "q.yaml").write_text(f"name: o\n{SWEEP}")
    assert run("plan", "q.yaml", "--exit-code").returncode == 0, "the hint is true"


def test_forgotten_state_option_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(SWEEP)
    run("apply", "e.yaml", "--state", "scratch")
    said = run("plan", "e.yaml").stderr
    assert "the state `scratch/e` has 3 sessions of this sweep" in said
    assert "hint: `--state scratch` uses it" in said
    assert run("plan", "e.yaml", "--state", "scratch").stderr == ""


def test_other_state_option_is_told_of_the_usual_state(run: Run, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(SWEEP)
    run("apply", "e.yaml")
    (tmp_path / "copy.yaml").write_text(SWEEP)
    run("apply", "copy.yaml")
    assert "hint: `--state .runner` uses it" in run("plan", "e.yaml", "--state", "scratch").stderr


def test_edited_sweep_is_no_other_sweep(run: Run, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(SWEEP)
    run("apply", "e.yaml")
    (tmp_path / "e.yaml").write_text(SWEEP.replace("[1, 2, 3]", "[4]"))
    assert run("apply", "e.yaml").stderr.startswith("1 succeeded")


def test_moved_folder_is_no_other_sweep_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/e.yaml").write_text(SWEEP)
    run("apply", "a/e.yaml")
    (tmp_path / "a").rename(tmp_path / "b")
    assert run("apply", "b/e.yaml").stderr.startswith("nothing to run")


@pytest.mark.parametrize("other", ["lr.yml", "second.yaml"])
def test_files_that_share_a_state_are_told_and_prune_keeps_both(run: Run, tmp_path: Path, other: str) -> None:
    (tmp_path / "lr.yaml").write_text(f"name: lr\n{SWEEP}")
    (tmp_path / other).write_text(f"name: lr\n{SWEEP.replace('[1, 2, 3]', '[4, 5]')}")
    run("apply", "lr.yaml")
    said = run("apply", other).stderr
    assert "warning: `lr.yaml` keeps its sessions in the same state, `lr`" in said
    pruned = run("prune", "lr.yaml", "--yes")
    assert f"keeping 2 sessions of `{other}`, which has the same state" in pruned.stderr
    assert pruned.stdout.startswith("removed 0 orphaned sessions")
    for file in ("lr.yaml", other):
        assert run("plan", file, "--exit-code").returncode == 0


def test_prune_keeps_what_another_file_ran_before_it_was_edited(run: Run, tmp_path: Path) -> None:
    """Also while that file is invalid: its owner may take the edit back."""
    (tmp_path / "a.yaml").write_text(f"name: n\n{SWEEP}")
    (tmp_path / "b.yaml").write_text("name: n\nexec: [echo, b, $y]\nranges: {y: [1, 2]}\n")
    run("apply", "a.yaml")
    run("apply", "b.yaml")
    before = (tmp_path / "b.yaml").read_text()
    for edited in (before.replace("[1, 2]", "[3]"), "exec: ["):
        (tmp_path / "b.yaml").write_text(edited)
        assert run("prune", "a.yaml", "--yes").stdout.startswith("removed 0 orphaned sessions")
    (tmp_path / "b.yaml").write_text(before)
    assert run("plan", "b.yaml", "--exit-code").returncode == 0


def test_prune_removes_what_a_file_ran_that_is_gone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"name: n\n{SWEEP}")
    (tmp_path / "b.yaml").write_text("name: n\nexec: [echo, b]\n")
    run("apply", "a.yaml")
    run("apply", "b.yaml")
    (tmp_path / "b.yaml").unlink()
    assert run("prune", "a.yaml", "--yes").stdout.startswith("removed 1 orphaned session,")
