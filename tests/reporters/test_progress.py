"""What a watcher is told leads to the cause: the compiler's message, wherever one looks."""

from __future__ import annotations

from pathlib import Path

from tests.reporters.test_streams import shell

BUILDS = """\
build: 'echo made; echo "x.c:1: syntax error" >&2; exit 2'
files: [sweep.yaml]
exec: [echo, $x]
ranges: {x: [1, 2]}
"""


def test_a_failed_build_shows_why(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(BUILDS)
    done = shell(tmp_path, "runner apply")
    assert done.returncode == 1
    assert "    x.c:1: syntax error\n" in done.stderr
    logs = shell(tmp_path, "runner logs x=1")
    assert (logs.returncode, logs.stdout) == (0, "made\n")
    assert "x.c:1: syntax error" in logs.stderr
    assert shell(tmp_path, "runner logs x=1 --stderr").stdout == "x.c:1: syntax error\n"


def test_the_log_of_a_failed_build_is_found_after_the_file_was_broken(tmp_path: Path) -> None:
    """`files` holds the file itself: what the build is known by comes from what was applied."""
    (tmp_path / "sweep.yaml").write_text(BUILDS)
    shell(tmp_path, "runner apply")
    (tmp_path / "sweep.yaml").write_text(BUILDS + "ranges: [\n")
    logs = shell(tmp_path, "runner logs x=1 --stderr")
    assert (logs.returncode, logs.stdout) == (0, "x.c:1: syntax error\n")
    assert "taken as it was last applied" in logs.stderr


def test_a_failed_build_of_run_shows_why(tmp_path: Path) -> None:
    (tmp_path / "a.c").touch()
    done = shell(tmp_path, "runner run --build 'echo no such type >&2; exit 1' --exec true a.c")
    assert done.returncode == 1
    assert "    no such type\n" in done.stderr
