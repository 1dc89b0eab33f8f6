"""Whether inputs are still what the ids were made from. Real files; no test depends on how fast it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config import files
from runner.config.inputs import Change, Inputs
from runner.config.sweep import Sweep
from runner.errors import InvalidInput

LoadText = Callable[[str], Sweep]

LONG_AGO, SOON = 0.0, 1e12
"""Times before and after every change that a test makes."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in ("a.py", "data/1.csv", "data/sub/2.csv"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


def read(load_text: LoadText, entries: str) -> Inputs:
    return Inputs.read(load_text(f"exec: [true]\nfiles: {entries}\n"))


def replace(path: Path, make: Callable[[Path], None]) -> None:
    """Replace a file by something else."""
    path.unlink()
    make(path)


def rewrite(path: Path) -> None:
    """Give a file its content again, by another inode."""
    new = path.with_name("new")
    new.write_text(path.read_text())
    new.replace(path)


def test_inputs_that_nobody_touches_have_not_changed(folder: Path, load_text: LoadText) -> None:
    inputs = read(load_text, "[a.py, data]")
    assert inputs.check() is None
    assert inputs.verdict(inputs.moves, LONG_AGO) is None


@pytest.mark.parametrize(
    ("act", "change"),
    [
        (lambda at: (at / "a.py").write_text("b.py"), Change("a.py", "changed")),  # the same size
        (lambda at: (at / "data/sub/2.csv").write_text("longer than before"), Change("data/sub/2.csv", "changed")),
        (lambda at: (at / "a.py").unlink(), Change("a.py", "was removed")),
        (lambda at: replace(at / "a.py", os.mkfifo), Change("a.py", "changed")),
        (lambda at: replace(at / "a.py", os.mkdir), Change("a.py", "changed")),
        (lambda at: (at / "data/3.csv").write_text(""), Change("data/3.csv", "is new in `files`")),
        (lambda at: (at / "data/sub/3.csv").write_text(""), Change("data/sub/3.csv", "is new in `files`")),
        (lambda at: (at / "data/1.csv").rename(at / "data/0.csv"), Change("data/1.csv", "was removed")),
    ],
    ids=["same-size", "below-a-folder", "removed", "fifo", "folder", "added", "added-below", "renamed"],
)
def test_change_is_found(folder: Path, load_text: LoadText, act: Callable[[Path], object], change: Change) -> None:
    inputs = read(load_text, "[a.py, data]")
    act(folder)
    assert inputs.check() == change
    assert inputs.check() == change
    assert inputs.verdict(inputs.moves, LONG_AGO) == change


@pytest.mark.parametrize("entry", ["'data/*.csv'", "'*/*.csv'", "'data/**'", "'**/*.csv'", "'dat?'"])
def test_new_file_that_a_pattern_matches_is_a_change(folder: Path, load_text: LoadText, entry: str) -> None:
    inputs = read(load_text, f"[{entry}]")
    (folder / "other.txt").write_text("")
    assert inputs.check() is None
    (folder / "data/3.csv").write_text("")
    assert inputs.check() == Change("data/3.csv", "is new in `files`")


def test_edit_that_keeps_size_and_mtime_is_found(folder: Path, load_text: LoadText) -> None:
    inputs = read(load_text, "[a.py]")
    before = os.stat(folder / "a.py")
    (folder / "a.py").write_text("b.py")
    os.utime(folder / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert inputs.check() == Change("a.py", "changed")


def test_edit_within_the_resolution_of_the_clock_is_found(folder: Path, load_text: LoadText) -> None:
    """A kernel with coarse times gives most of these pairs of writes the same ones."""
    sweep = load_text("exec: [true]\nfiles: [a.py]\n")
    for _ in range(100):
        (folder / "a.py").write_text("1")
        inputs = Inputs.read(sweep)
        (folder / "a.py").write_text("2")
        assert inputs.check() == Change("a.py", "changed")


def test_link_to_another_target_is_a_change(folder: Path, load_text: LoadText) -> None:
    (folder / "link").symlink_to("data/1.csv")
    inputs = read(load_text, "[link]")
    (folder / "link").unlink()
    (folder / "link").symlink_to("data/sub/2.csv")
    assert inputs.check() == Change("link", "changed")


def test_edit_that_is_taken_back_counts_for_those_that_ran_meanwhile(folder: Path, load_text: LoadText) -> None:
    inputs = read(load_text, "[a.py]")
    before = inputs.moves
    rewrite(folder / "a.py")
    assert inputs.check() is None
    assert str(inputs.verdict(before, LONG_AGO)) == "`a.py` may have had other content"
    assert inputs.verdict(inputs.moves, LONG_AGO) is None, "it was made after the change"
    assert inputs.verdict(before, SOON) is None, "it was submitted before the change, and began after it"


def test_edit_seen_and_taken_back_counts_as_long_as_it_was_seen(folder: Path, load_text: LoadText) -> None:
    inputs = read(load_text, "[a.py]")
    before = inputs.moves
    (folder / "a.py").write_text("b.py")
    assert inputs.check() is not None
    (folder / "a.py").write_text("a.py")
    assert inputs.check() is None
    assert inputs.verdict(before, LONG_AGO) is not None
    assert inputs.verdict(inputs.moves, time.time()) is None


def test_other_mode_or_another_hard_link_is_no_change(folder: Path, load_text: LoadText) -> None:
    """`chmod +x run.sh && ./run.sh` is what many sessions begin with."""
    inputs = read(load_text, "[a.py]")
    before = inputs.moves
    (folder / "a.py").chmod(0o755)
    (folder / "output").write_text("")
    assert inputs.check() is None
    (folder / "a.py").chmod(0o755)  # changes the ctime again
    assert inputs.check() is None
    os.link(folder / "a.py", folder / "b.py")
    assert inputs.check() is None
    assert inputs.verdict(before, LONG_AGO) is None


def test_file_that_was_moved_away_and_back_counts(folder: Path, load_text: LoadText) -> None:
    inputs = read(load_text, "[a.py]")
    before = inputs.moves
    (folder / "a.py").rename(folder / "kept")
    (folder / "a.py").write_text("other")
    (folder / "kept").replace(folder / "a.py")
    assert inputs.check() is None
    assert inputs.verdict(before, LONG_AGO) is not None


def test_link_that_led_elsewhere_counts(folder: Path, load_text: LoadText) -> None:
    (folder / "now").symlink_to("data")
    inputs = read(load_text, "[now]")
    before = inputs.moves
    for target in ("data/sub", "data"):
        (folder / "now").unlink()
        (folder / "now").symlink_to(target)
    assert inputs.check() is None
    assert str(inputs.verdict(before, LONG_AGO)).startswith("`now` may have had other content")


def test_attempt_of_an_earlier_runner_is_judged_by_the_time_of_the_last_change(
    folder: Path, load_text: LoadText
) -> None:
    inputs = read(load_text, "[a.py]")
    assert inputs.check() is None
    assert inputs.verdict(None, SOON) is None
    assert inputs.verdict(None, LONG_AGO) is not None
    assert inputs.verdict(None, None) is not None


def test_folder_that_cannot_be_searched_is_a_problem(folder: Path, load_text: LoadText) -> None:
    (folder / "data/sub").chmod(0)
    if os.access(folder / "data/sub", os.R_OK):
        pytest.skip("root reads every folder")
    with pytest.raises(InvalidInput, match=r"cannot read .*sub"):
        read(load_text, "[data]")


def test_link_inside_a_folder_is_followed(folder: Path, load_text: LoadText) -> None:
    outside = folder / "elsewhere"
    outside.mkdir()
    (outside / "x").write_text("1")
    (folder / "data/far").symlink_to("../elsewhere")
    inputs = read(load_text, "[data]")
    assert inputs.digests.keys() == {"data/1.csv", "data/sub/2.csv", "data/far/x"}
    assert inputs.digests.keys() == read(load_text, "['data/**']").digests.keys()
    (outside / "x").write_text("2")
    assert inputs.check() == Change("data/far/x", "changed")


def test_link_into_its_own_folder_ends(folder: Path, load_text: LoadText) -> None:
    (folder / "data/sub/up").symlink_to("..")
    (folder / "data/self").symlink_to(".")
    sweep = load_text("exec: [true]\nfiles: [data]\n")
    assert files.paths(sweep) == ["data/1.csv", "data/sub/2.csv"]
