"""What the quick commands import: by module, since a busy machine cannot change that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PROGRAM = """\
import json, sys
from runner.__main__ import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
BOUNDARY = {
    "runner",
    "runner.__main__",
    "runner.cli",
    "runner.cli.console",
    "runner.cli.main",
    "runner.cli.suggestions",
    "runner.text",
    "runner.text.escape",
    "runner.text.workflow",
}
ERRORS = {"runner.errors"}
SLOW = {"sqlite3", "trio", "rich", "httpx", "jsonschema", "yaml", "asyncio", "ssl"}


def imported(*arguments: str) -> set[str]:
    """The modules that `runner` with these arguments has imported when it ends."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(modules)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_and_version_import_the_boundary_alone(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert {name for name in modules if name.partition(".")[0] == "runner"} == BOUNDARY | ERRORS
    assert not modules & SLOW


@pytest.mark.parametrize("arguments", [["aply"], ["validate", "--nonsense"]], ids=" ".join)
def test_a_usage_error_imports_no_library_but_click(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert not modules & (SLOW - {"yaml"})
    assert not {
        name for name in modules if name.startswith(("runner.state", "runner.apply", "runner.executor.executor"))
    }


def test_validate_imports_neither_journal_nor_event_loop() -> None:
    modules = imported("validate", "sweeps/hello.yaml")
    assert not modules & (SLOW - {"yaml", "jsonschema"})
    packages = {".".join(name.split(".")[:2]) for name in modules if name.startswith("runner.")}
    assert not packages & {"runner.state", "runner.apply"}
    assert "runner.plan.plan" not in modules  # with ids and inputs: it plans nothing
    backends = {name for name in modules if name.startswith("runner.backends")}
    assert backends == {"runner.backends", "runner.backends.base"}


AFTER_START = """\
import sys
from pathlib import Path
import runner.backends.local.supervisor_client as client
from runner.cli.main import run

send, before = client.SupervisorClient.send, set()


def note(self, message):
    if type(message).__name__ == "Spawn":
        before.update(before or sys.modules)
    send(self, message)


client.SupervisorClient.send = note
run(["apply", *sys.argv[1:]])
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("github", ["", "true"])
def test_apply_imports_nothing_after_the_first_start(tmp_path: Path, github: str) -> None:
    """The package may be replaced while sessions run."""
    (tmp_path / "sweep.yaml").write_text(
        "exec: 'test $x != 1 || { echo boom >&2; exit 3; }; test $x != 2 || sleep 9; echo m=1'\n"
        "ranges: {x: 'range:4'}\ntimeout: 1s\nretry: {limit: 1, backoff: 10ms}\nmetrics: {m: {regex: 'm=(.)'}}\n"
    )
    environ = {**os.environ, "GITHUB_ACTIONS": github, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    done = subprocess.run(
        [sys.executable, "-c", AFTER_START, "--junit", "j.xml"],
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1:] == [""]
    assert (tmp_path / "j.xml").exists()
