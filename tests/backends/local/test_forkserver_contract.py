"""A program behaves the same whether its interpreter started cold or was forked from a fork server.

Each program runs both ways; streams, outcome, exit code and reason must be equal.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.local.backend import LocalBackend
from runner.text.reasons import describe
from tests.contract import Site
from tests.forkserver_programs import COMMANDS, ENVIRONMENTS, SCRIPTS, lay_out
from tests.forkserver_site import run_all

PRELOAD = ("json", "logging", "decimal", "asyncio", "multiprocessing.pool", "concurrent.futures.process")

ADDRESS = re.compile(rb" at 0x[0-9a-f]+| started [0-9]+")
"""Text that differs from one cold start to the next."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sessions are forked on Linux only")

PYTHON = os.environ.get("RUNNER_TEST_PYTHON", sys.executable)
"""The interpreter of the programs."""

WITH_NUMPY = {"numpy", "threads of libraries"}

BEFORE_3_11 = subprocess.run([PYTHON, "-P", "-c", ""], check=False, stderr=subprocess.DEVNULL).returncode != 0
"""Whether the interpreter lacks the option `-P`."""

COLD = {
    *(["option for a safe path", "safe path beside a preloaded name"] if BEFORE_3_11 else []),
    *(
        "syntax error",
        "indentation error",
        "bad coding",
        "null byte",
        "code with a syntax error",
        "code with surrogates",
    ),
    *("script is missing", "script is a folder", "script is a folder without a program", "script is an archive"),
    *("script hides a preloaded module", "module that is preloaded"),
    "developing",
    "unknown option",
    "no code",
    "relative path",
    "inspecting",
}
"""Programs that cannot be forked."""

UNRAISABLE = {
    "stdout cannot be flushed",
    "stdout cannot be flushed after an error",
    "stdout fails in Python",
    "del fails at the end",
    "exit 2**70",
    "exit -2**70",
    "exit without a code",
    "exit unprintable",
}
"""Programs whose stderr is not compared: the texts `Exception ignored …` at the end of a program depend on the version."""


def compare(folder: Path, name: str, command: tuple[str, ...], env: dict[str, str]) -> str | None:
    """Run a command line both ways and compare; return why the second way was cold too, None if it was forked."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    site = Site(lambda: LocalBackend(environ), folder)
    arguments = tuple(word.replace("{folder}", str(folder)) for word in (PYTHON, *command))
    env = {name: value.replace("{folder}", str(folder)) for name, value in env.items()}
    cold, forked = (site.attempt(arguments, way, **env, RUNNER_SESSION="1") for way in ("cold", "forked"))
    modules = (*PRELOAD, "numpy") if name in WITH_NUMPY else PRELOAD
    (expected, actual), (_, reason) = run_all(site, [cold, replace(forked, preload=modules)])
    for stream in ("out",) if name in UNRAISABLE else ("out", "err"):
        written = [(folder / f"{way}.{stream}").read_bytes() for way in ("cold", "forked")]
        assert ADDRESS.sub(b"", written[1]) == ADDRESS.sub(b"", written[0])
    assert (actual.outcome, actual.exit_status, describe(actual)) == (
        expected.outcome,
        expected.exit_status,
        describe(expected),
    )
    return reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(folder: Path, name: str) -> None:
    (folder / "prog.py").write_text(SCRIPTS[name])
    assert (compare(folder, name, ("prog.py", "one", "two words"), {}) is not None) is (name in COLD)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_line(folder: Path, name: str) -> None:
    (folder / "prog.py").write_text("")
    assert (compare(folder, name, COMMANDS[name], {}) is not None) is (name in COLD)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment(folder: Path, name: str) -> None:
    env, command = ENVIRONMENTS[name]
    assert (compare(folder, name, command, env) is not None) is (name in COLD)
