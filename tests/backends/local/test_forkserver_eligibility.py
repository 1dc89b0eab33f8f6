"""Which sessions start cold although modules are to be preloaded, and the reason that is reported."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.local.forkserver.eligibility import parse
from runner.backends.local.forkserver.server.preload import is_gpu
from runner.backends.local.forkserver.server.program import shadowed
from runner.backends.local.forkserver.server.protocol import UnfitError
from runner.model import Outcome
from runner.text.reasons import describe
from tests.forkserver_site import fork_site, module, outputs, python, run_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sessions are forked on Linux only")


@pytest.mark.parametrize(
    ("command", "options", "mode", "at"),
    [
        ("python prog.py -c", (), b"", 1),
        ("python -u -W error prog.py", (b"-u", b"-W", b"error"), b"", 4),
        ("python -Wignore -m tool -x", (b"-Wignore",), b"-m", 3),
        ("python -I -c pass", (b"-I",), b"-c", 3),
    ],
)
def test_command_line_that_can_be_forked(command: str, options: tuple[bytes, ...], mode: bytes, at: int) -> None:
    assert parse(command.encode().split()) == (options, mode, at)


@pytest.mark.parametrize("command", ["python", "python -c", "python -m", "python -W", "python -X dev a.py", "python -"])
def test_command_line_that_cannot_be_forked(command: str) -> None:
    with pytest.raises(UnfitError):
        parse(command.encode().split())


def test_ninth_server_is_refused(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    attempts = [site.attempt(site.succeeding, f"one-{n}", OMP_NUM_THREADS=str(n)) for n in range(10)]
    ends, cold = run_all(site, attempts)
    assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}
    assert cold[:8] == [None] * 8
    assert cold[8:] == ["the limit of 8 preloaded interpreters is reached"] * 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nowhere", "`bad` cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit", "`bad` cannot be imported: SystemExit"),
        ("x = (", "`bad` cannot be imported: SyntaxError: '(' was never closed (bad.py, line 1)"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True, name='t').start()",
            "`bad` starts a thread when it is imported",
        ),
        (
            "import _thread, time; _thread.start_new_thread(time.sleep, (9,))",
            "`bad` starts a thread when it is imported",
        ),
        (
            "import os; os._exit(3)",
            "the interpreter that imports `json`, `bad` died (exit code 3)",
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "the interpreter that imports `json`, `bad` died (killed by SIGSEGV)",
        ),
    ],
)
def test_module_that_cannot_be_preloaded(tmp_path: Path, text: str, reason: str) -> None:
    env = module(tmp_path, "bad", text)
    site = fork_site(tmp_path, "json", "bad")
    ends, cold = run_all(site, [site.attempt(site.failing, f"one-{n}", **env) for n in range(2)])
    assert [end.exit_status for end in ends] == [3, 3]
    assert cold == [reason, reason]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/dev/nvidiactl", True), ("/dev/kfd", True), ("/dev/dri/card0", True), ("/dev/null", False), ("/tmp/x", False)],
)
def test_gpu_is_recognized_by_its_device_file(path: str, expected: bool) -> None:
    assert is_gpu(path) is expected


def test_interpreter_that_does_not_exist(tmp_path: Path) -> None:
    """The session ends as it does without preloading."""
    site = fork_site(tmp_path)
    attempt = replace(site.attempt(("no-such-python", "-c", "")), preload=("json",))
    [end], [cold] = run_all(site, [attempt])
    assert (end.exit_status, describe(end)) == (127, "`no-such-python` not found")
    assert cold == "its interpreter cannot be started: `no-such-python` not found"


def test_interpreter_that_is_another_program(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    attempt = replace(site.attempt(("sh", "-c", "exit 4")), preload=("json",))
    [end], [cold] = run_all(site, [attempt])
    assert end.exit_status == 4
    assert cold is not None
    assert cold.startswith("the interpreter that imports `json` died (exit code ")


def test_module_that_appears_beside_the_script(tmp_path: Path) -> None:
    site = fork_site(tmp_path)
    (tmp_path / "prog.py").write_text("import json; print(json.__file__)")
    attempts = [site.attempt((sys.executable, "prog.py"), f"one-{n}") for n in range(2)]
    [before] = outputs(site, attempts[:1])
    assert str(tmp_path) not in before
    (tmp_path / "json.py").touch()
    [after] = outputs(site, attempts[1:], cold=True)
    assert after == f"{tmp_path}/json.py\n"


def test_names_that_shadow_a_module(tmp_path: Path) -> None:
    for name in ("plain", "data.txt", "x.json", "package"):
        (tmp_path / name).mkdir()
    for file in ("package/__init__.py", "fast.cpython-311-x86_64-linux-gnu.so", "abi.abi3.so", "mine.py"):
        (tmp_path / file).touch()
    preloaded = {name: f"/library/{name}.py" for name in ("plain", "data", "x")}
    folder = str(tmp_path)
    assert shadowed(folder, preloaded) is None
    for name, file in {"package": "package/__init__.py", "abi": "abi.abi3.so", "mine": "mine.py"}.items():
        assert shadowed(folder, {**preloaded, name: "/library/x.py"}) == name
        assert shadowed(folder, {**preloaded, name: f"{folder}/{file}"}) is None
    (tmp_path / "plain.py").touch()
    assert shadowed(folder, preloaded) == "plain"
    assert shadowed(folder + "/nowhere", preloaded) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-c", "x = ("), "its program cannot be compiled: SyntaxError"),
        (("-m", "json.tool"), "`json.tool` is one of the modules that are imported already"),
        (("nowhere.py",), "`{folder}/nowhere.py` is not a file that can be read"),
        (("stdin",), "`{folder}/stdin` is not a file that can be read"),
        (("-c", "pass", "x" * 130_000, "x" * 130_000), "its arguments and environment are too long"),
    ],
)
def test_program_that_starts_cold(tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    """The server serves the next one."""
    (tmp_path / "stdin").symlink_to("/dev/stdin")
    site = fork_site(tmp_path, "json.tool")
    attempts = [site.attempt((sys.executable, *words), "first"), site.attempt(python("pass"), "second")]
    _, cold = run_all(site, attempts)
    assert cold == [reason.format(folder=tmp_path), None]
