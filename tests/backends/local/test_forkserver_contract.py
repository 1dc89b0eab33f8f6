"""A Python program cannot tell by anything it may depend on whether it was started cold or forked warm."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.backends.base import Backend
from runner.backends.local.backend import LocalBackend
from runner.model import Attempt, AttemptEnd
from tests.contract import Site, ignore
from tests.warm_programs import COMMANDS, ENVIRONMENTS, SCRIPTS, lay_out

PRELOAD = ("json", "logging", "decimal", "asyncio", "multiprocessing.pool", "concurrent.futures.process")

ADDRESS = re.compile(rb" at 0x[0-9a-f]+| started [0-9]+")
"""What differs from one cold start to the next."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm sessions are for Linux")

PYTHON = os.environ.get("RUNNER_TEST_PYTHON", sys.executable)
"""Whose sessions they are."""

WITH_NUMPY = {"numpy", "threads of libraries"}

OLD = subprocess.run([PYTHON, "-P", "-c", ""], check=False, stderr=subprocess.DEVNULL).returncode != 0
"""Whether it is older than 3.11, which knows `-P`."""

COLD = {
    *(["option for a safe path", "safe path beside a preloaded name"] if OLD else []),
    "script hides a preloaded module",
    "developing",
    "unknown option",
    "no code",
    "relative path",
    "inspecting",
}
"""Programs for which no fork would do: they run cold, and it is said why."""


def both(
    folder: Path, command: tuple[str, ...], env: dict[str, str], more: tuple[str, ...]
) -> tuple[AttemptEnd, AttemptEnd, str | None]:
    """How a command line ends cold and warm, and why it was cold even so. Streams go to `cold.*` and `warm.*`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    site = Site(lambda: LocalBackend(environ), folder)
    arguments = tuple(word.replace("{folder}", str(folder)) for word in (PYTHON, *command))
    env = {name: value.replace("{folder}", str(folder)) for name, value in env.items()}
    cold, warm = (site.attempt(arguments, name, **env, RUNNER_SESSION="1") for name in ("cold", "warm"))

    async def body(backend: Backend) -> tuple[AttemptEnd, AttemptEnd, str | None]:
        ends: dict[str, AttemptEnd] = {}
        reasons: list[str | None] = []

        async def run(attempt: Attempt) -> None:
            job = await backend.submit(attempt)
            reasons.append((await backend.started(job, ignore)).cold)
            ends[attempt.name] = await backend.wait(job)

        await run(cold)
        await run(replace(warm, preload=(*PRELOAD, *more)))
        return ends[cold.name], ends[warm.name], reasons[1]

    return site.run(body)


def compare(folder: Path, name: str, command: tuple[str, ...], env: dict[str, str]) -> str | None:
    cold, warm, reason = both(folder, command, env, ("numpy",) if name in WITH_NUMPY else ())
    for stream in ("out", "err"):
        written = [(folder / f"{start}.{stream}").read_bytes() for start in ("cold", "warm")]
        assert ADDRESS.sub(b"", written[1]) == ADDRESS.sub(b"", written[0])
    assert (warm.outcome, warm.exit_code, warm.reason) == (cold.outcome, cold.exit_code, cold.reason)
    return reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(folder: Path, name: str) -> None:
    (folder / "prog.py").write_text(SCRIPTS[name])
    assert compare(folder, name, ("prog.py", "one", "two words"), {}) is None


@pytest.mark.parametrize("name", COMMANDS)
def test_command_line(folder: Path, name: str) -> None:
    (folder / "prog.py").write_text("")
    assert (compare(folder, name, COMMANDS[name], {}) is not None) is (name in COLD)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment(folder: Path, name: str) -> None:
    env, command = ENVIRONMENTS[name]
    assert (compare(folder, name, command, env) is not None) is (name in COLD)
