from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.backendai.validation import is_time, problems
from runner.cli.sweeps import override
from runner.config.fields import BackendChoice
from tests.conftest import LoadText


def test_image_and_files_are_checked(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("x")
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    (tmp_path.parent / f"{tmp_path.name}-outside").write_text("x")
    text = f"exec: [true]\nbackend: backend.ai\nfiles: [small, big, ../{tmp_path.name}-outside]\n"
    assert [problem.message for problem in problems(load_text(text))] == [
        "backend `backend.ai` needs an `image`",
        f"`../{tmp_path.name}-outside` is outside the sweep's folder",
        "`files` are 1 MiB, 1 MiB of it `big`; a job of Backend.AI takes at most 750 KiB",
    ]
    assert not list(problems(load_text("exec: [true]\nbackend: backend.ai\nimage: python\nfiles: [small]\n")))


def test_invalid_backend_option_is_reported_at_its_line(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "long.sh").write_text("é" * (16 * 1024 + 1))
    (tmp_path / "just.sh").write_text("é" * (16 * 1024))
    text = (
        "exec: [true]\nimage: python\nbackend:\n  kind: backend.ai\n  bootstrap_script: {script}\n  starts_at: {time}\n"
    )

    def found(script: str, time: str, more: str = "") -> list[tuple[str, int]]:
        sweep = load_text(text.format(script=script, time=time) + more)
        return [(problem.message, problem.span.line + 1 if problem.span else 0) for problem in problems(sweep)]

    assert found("just.sh", "2026-12-24T20:00:00+09:00", '  preopen: "80,65535"\n') == []
    assert found("long.sh", "2026-13-45", '  preopen: "80,65536"\n') == [
        ("the bootstrap script has 16,385 characters, at most 16,384 are possible", 5),
        ("`2026-13-45` is not a time", 6),
        ("`80,65536` contains an invalid port", 7),
    ]
    assert found("gone.sh", "30min") == [(f"cannot read the bootstrap script `{tmp_path}/gone.sh`", 5)]


def test_options_of_a_replaced_backend_are_not_checked(load_text: LoadText) -> None:
    sweep = load_text("exec: [true]\nimage: python\nbackend: {kind: backend.ai, starts_at: never}\n")
    local = override(sweep, backend="local")
    assert list(problems(replace(local, backend=BackendChoice("backend.ai", {})))) == []


@pytest.mark.parametrize(
    "text", ["30min", "1d1hr", "2hours 15min", "20sec", "300", "-1day", "1.5h", "2026-12-24T20:00Z"]
)
def test_time_that_the_manager_accepts(text: str) -> None:
    """The examples of the manager's `str_to_timedelta`, and ISO 8601."""
    assert is_time(text)


@pytest.mark.parametrize("text", ["", "+", "tomorrow", "2026-13-45", "10x", "1d 300", "5min 1h"])
def test_time_that_the_manager_refuses(text: str) -> None:
    assert not is_time(text)
