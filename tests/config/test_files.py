"""The `files` of a sweep: paths, patterns and folders, and their digests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config import files
from runner.config.inputs import Inputs
from runner.config.sweep import Sweep
from runner.diagnostics import InvalidSweep

LoadText = Callable[[str], Sweep]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in ("src/a.py", "src/sub/b.py", "src/__pycache__/a.pyc", "src/.hidden", "data/1.csv", "data/2.csv", "x y"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ("[src]", ["src/a.py", "src/sub/b.py"]),
        ("['src/**']", ["src/a.py", "src/sub/b.py"]),
        ("['src/*']", ["src/a.py", "src/sub/b.py"]),
        ("['data/*.csv', data/1.csv]", ["data/1.csv", "data/2.csv"]),
        ("['x y', src/.hidden]", ["src/.hidden", "x y"]),
        ("['**/*.py']", ["src/a.py", "src/sub/b.py"]),
        ("[.]", ["data/1.csv", "data/2.csv", "src/a.py", "src/sub/b.py", "x y"]),
    ],
)
def test_entry_is_a_path_a_pattern_or_a_folder(
    folder: Path, load_text: LoadText, entries: str, found: list[str]
) -> None:
    assert files.paths(load_text(f"exec: [true]\nfiles: {entries}\n")) == found


def test_state_folder_is_not_an_input(folder: Path, load_text: LoadText) -> None:
    """With `files: [.]` and `--state out`, an apply must not change its own inputs."""
    state = folder / "out" / "sweep"
    (state / "logs").mkdir(parents=True)
    for name in ("journal.db", "lock", "logs/0123456789abcdef.1.out"):
        (state / name).write_text("")
    assert not [path for path in files.paths(load_text("exec: [true]\nfiles: [.]\n")) if path.startswith("out")]


def test_digest_changes_with_the_content(folder: Path, load_text: LoadText) -> None:
    sweep = load_text("exec: [true]\nfiles: [data]\n")
    before = Inputs.read(sweep).digests
    (folder / "data/1.csv").write_text("other")
    after = Inputs.read(sweep).digests
    assert before["data/1.csv"] != after["data/1.csv"]
    assert before["data/2.csv"] == after["data/2.csv"]


@pytest.mark.parametrize("entry", ["a" * 5000, "a" * 5000 + "/*", "x/" * 3000])
def test_name_that_no_file_can_have_is_a_problem(folder: Path, load_text: LoadText, entry: str) -> None:
    with pytest.raises(InvalidSweep, match="no such file"):
        load_text(f"exec: [true]\nfiles: [{entry}]\n")
