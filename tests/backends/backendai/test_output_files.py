"""A job may report any file names: what is created must stay in its output folder."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.backendai.collect import collect
from runner.backends.backendai.console import marker
from runner.model import Attempt
from tests.fake_backendai import attempt_in, chunks

NAME = "0123456789ab-0123456789abcdef-1"
MARK = marker(NAME)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    """An attempt with an output folder, and a folder beside it that must stay empty."""
    (tmp_path / "output").mkdir()
    (tmp_path / "elsewhere").mkdir()
    return attempt_in(tmp_path, NAME)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def file_line(path: str, content: bytes) -> str:
    return f"{MARK}:file:1:{len(content)}:-:{encoded(path)}\r\n" + chunks(MARK, "f1", content)


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "link/evil", ""])
def test_file_outside_the_output_folder_is_refused(tmp_path: Path, attempt: Attempt, path: str) -> None:
    (tmp_path / "output/link").symlink_to(tmp_path / "elsewhere")
    collect(file_line(path, b"evil"), NAME, attempt)
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/etc/evil").exists()
    assert "1 output file could not be created" in Path(attempt.stderr).read_text()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("../link", "x"),
        ("link", "/etc/passwd"),
        ("link", "../elsewhere"),
        ("a/link", "../../elsewhere"),
        ("link", "here/../../elsewhere"),  # `here` leads to `.`
        ("mine/link", "x"),
        ("link", ""),
        ("link", "nul\0"),
        ("", "x"),
    ],
)
def test_link_out_of_the_output_folder_is_refused(tmp_path: Path, attempt: Attempt, path: str, target: str) -> None:
    (tmp_path / "output/mine").symlink_to(tmp_path / "elsewhere")
    log = f"{MARK}:link:{encoded('here')}:{encoded('.')}\n{MARK}:link:{encoded(path)}:{encoded(target)}\n"
    collect(log, NAME, attempt)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_symlink()) == ["here", "mine"]
    assert "1 output file could not be created" in Path(attempt.stderr).read_text()


@pytest.mark.parametrize("path", ["../made", "/tmp/made", "mine/made", "file/made", "nul\0"])
def test_folder_outside_the_output_folder_is_refused(tmp_path: Path, attempt: Attempt, path: str) -> None:
    (tmp_path / "output/mine").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "output/file").write_text("")
    collect(f"{MARK}:dir:{encoded(path)}\n", NAME, attempt)
    assert not list(tmp_path.rglob("made"))
    assert "1 output file could not be created" in Path(attempt.stderr).read_text()


def test_file_is_not_written_through_a_reported_link(tmp_path: Path, attempt: Attempt) -> None:
    """Files are created first, and a link does not replace a folder."""
    build = replace(attempt, output=str(tmp_path / "build"), root=str(tmp_path / "build"))
    (tmp_path / "build").mkdir()
    link = f"{MARK}:link:{encoded('sub')}:{encoded(str(tmp_path / 'elsewhere'))}\n"
    collect(link + file_line("sub/evil", b"evil"), NAME, build)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert (tmp_path / "build/sub/evil").read_text() == "evil"


def test_missing_output_folder_is_created_for_a_file_only(tmp_path: Path, attempt: Attempt) -> None:
    """Empty output folders are removed, also while a job of a dead runner runs."""
    (tmp_path / "output").rmdir()
    collect("", NAME, attempt)
    assert not (tmp_path / "output").exists()
    collect(file_line("made", b"made"), NAME, attempt)
    assert (tmp_path / "output/made").read_text() == "made"
