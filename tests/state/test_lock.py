"""One writer: real processes, real locks."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import EnvironmentFailed
from runner.state.lock import Holder, hold, holder

HOLD = """
import sys
import time
from pathlib import Path
from runner.state.lock import hold
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
    start = "import subprocess, sys\n"
    start += "subprocess.Popen(['sh', '-c', 'echo started; exec cat'], close_fds=False)\n"
    script = HOLD.replace("    sys.stdin.read()", f"    exec({start!r})\n    __import__('time').sleep(60)")
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert {child.stdout.readline(), child.stdout.readline()} == {"held\n", "started\n"}
        assert holder(tmp_path) is not None
        child.kill()
        child.wait()
        # Its own child lives on, as it still reads from us.
        assert holder(tmp_path) is None


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[int]:
    """Somebody in the very act of asking who holds the lock."""
    descriptor = os.open(tmp_path / "lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    yield descriptor
    os.close(descriptor)


def test_askers_do_not_see_each_other(tmp_path: Path, asker: int) -> None:
    assert holder(tmp_path) is None


def test_hold_waits_for_an_asker(tmp_path: Path, asker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(asker, fcntl.LOCK_UN))
    with hold(tmp_path):
        assert holder(tmp_path) is not None


def test_hold_is_patient_with_those_who_only_ask(tmp_path: Path) -> None:
    ask = "import sys; from pathlib import Path; from runner.state.lock import holder\n"
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
