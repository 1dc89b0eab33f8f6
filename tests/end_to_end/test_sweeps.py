"""Every sweep that the repository shows runs, and its results are what they should be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT
from tests.processes import HANG

SWEEPS = ROOT / "sweeps"


def apply(name: str, folder: Path) -> list[dict[str, Any]]:
    """Run a copy of the sweep and return its results; everything has succeeded."""
    copy = folder / "sweeps"
    shutil.copytree(SWEEPS, copy, ignore=shutil.ignore_patterns(".runner", "__pycache__"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runner", *arguments]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=HANG, check=False)

    done = run("apply", f"{name}.yaml")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(run("results", f"{name}.yaml", "--format", "json").stdout)
    assert {row["status"] for row in rows} == {"succeeded"}
    assert run("plan", f"{name}.yaml", "--exit-code").returncode == 0
    return rows


def test_every_sweep_is_tested_and_valid_for_an_editor() -> None:
    names = {path.stem for path in SWEEPS.glob("*.yaml")}
    assert names == {"hello", "compiler-flags", "scaling", "python-grid", "flaky", "pi", "backendai", "slurm"}
    for name in names:
        first = (SWEEPS / f"{name}.yaml").read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../schemas/sweep.schema.json"


def test_hello(tmp_path: Path) -> None:
    rows = apply("hello", tmp_path)
    assert [Path(row["stdout"]).read_text() for row in rows] == [f"Hello world, {case}\n" for case in range(1, 5)]


def test_compiler_flags(tmp_path: Path) -> None:
    """A real C program, built once for each of six sets of flags; each build serves three sessions."""
    if shutil.which("cc") is None and not os.environ.get("CI"):
        pytest.skip("needs a C compiler called `cc`")
    rows = apply("compiler-flags", tmp_path)
    assert len(rows) == 18
    assert all(row["metrics"]["seconds"] > 0 for row in rows)
    assert len({row["metrics"]["checksum"] for row in rows}) == 1
    builds = [path for path in (tmp_path / "sweeps/.runner/compiler-flags/builds").iterdir() if path.is_dir()]
    assert len(builds) == 6


def test_scaling(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if cpus < 2:
        pytest.skip("needs two cpus")
    rows = apply("scaling", tmp_path)
    assert [row["metrics"]["primes"] for row in rows] == [17984] * 4


def test_python_grid(tmp_path: Path) -> None:
    rows = apply("python-grid", tmp_path)
    assert len(rows) == 3 * (3 * 2 - 1 + 1)
    assert all(0.8 < row["metrics"]["accuracy"] <= 1 for row in rows)
    assert all(0 < row["metrics"]["loss"] < 0.5 for row in rows)


def test_flaky(tmp_path: Path) -> None:
    """What fails at first is tried again and goes on where it stopped."""
    rows = apply("flaky", tmp_path)
    assert [row["attempts"] for row in rows] == [1, 2, 3, 1, 2, 3]
    assert [row["metrics"]["step"] for row in rows] == [1, 2, 3, 1, 2, 3]


def test_pi(tmp_path: Path) -> None:
    """No two sessions draw the same numbers, though all are forked from one interpreter."""
    rows = apply("pi", tmp_path)
    assert len(rows) == 100
    assert all(2.7 < row["metrics"]["pi"] < 3.6 for row in rows)
    assert len({row["metrics"]["pi"] for row in rows if row["params"]["draws"] == 10000}) > 25
