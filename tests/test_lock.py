"""One writer: real processes, real locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import EnvironmentFailed
from runner.lock import Holder, hold, holder

HOLD = """
import sys
from pathlib import Path
from runner.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


def test_second_writer_is_told_who_holds_it(tmp_path: Path) -> None:
    with held_by_child(tmp_path) as child:
        with pytest.raises(EnvironmentFailed) as caught, hold(tmp_path):
            pass
        assert caught.value.exit_code == 3
        assert f"pid {child.pid}" in caught.value.message
        assert str(tmp_path) in caught.value.message
        assert caught.value.hint
        assert "runner cancel" in caught.value.hint


def test_lock_dies_with_its_holder(tmp_path: Path) -> None:
    with held_by_child(tmp_path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert holder(tmp_path) is None
        with hold(tmp_path):
            found = holder(tmp_path)
            assert found is not None
            assert found.pid == os.getpid()


def test_holder_is_told_without_disturbing_it(tmp_path: Path) -> None:
    with held_by_child(tmp_path) as child:
        for _ in range(100):
            found = holder(tmp_path)
            assert found is not None
            assert found.pid == child.pid
        with pytest.raises(EnvironmentFailed), hold(tmp_path):
            pass
    assert holder(tmp_path) is None


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert holder(tmp_path / "missing") is None


def test_lock_is_not_inherited_by_children(tmp_path: Path) -> None:
    with hold(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    with child:
        assert holder(tmp_path) is None
        child.kill()


def test_hold_is_patient_with_those_who_only_ask(tmp_path: Path) -> None:
    ask = "import sys; from pathlib import Path; from runner.lock import holder\n"
    ask += "print('asking', flush=True)\nwhile True: holder(Path(sys.argv[1]))"
    (tmp_path / "lock").touch()
    command = [sys.executable, "-c", ask, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as asker:
        assert asker.stdout is not None
        asker.stdout.readline()
        for _ in range(200):
            with hold(tmp_path):
                pass
        asker.kill()


def test_holder_that_has_not_said_who_it_is_yet(tmp_path: Path) -> None:
    with hold(tmp_path):
        (tmp_path / "lock").write_text("")
        assert holder(tmp_path) == Holder()
        with pytest.raises(EnvironmentFailed, match="another runner holds"), hold(tmp_path):
            pass


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFailed, match="not a directory"), hold(tmp_path / "file"):
        pass
