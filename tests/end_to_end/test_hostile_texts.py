"""Texts of others through every command and every format: nothing reaches a terminal raw or becomes a workflow command."""

from __future__ import annotations

import csv
import fcntl
import html.parser
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.processes import HANG
from tests.reporters.test_github import commands

EVIL = "\x1b]0;t\x07\x1b[31m\x9b1m\u202ee\u2066\n::error::pwn\r::add-mask::x ##[error]y|<mark>`z`</mark>[l](http://x)\x85=1"
"""Escape sequences, C1, bidirectional formatting, workflow commands of both kinds, Markdown, HTML."""

NAME = "\x1b[31mx\n::error::pwn\u202e"
"""The name of the sweep, and with `.yaml` of its file."""

FILE = f"{NAME}.yaml"

PROGRAM = f"""\
import json, os, sys
text = {EVIL!r}
for stream in (sys.stdout.buffer, sys.stderr.buffer):
    stream.write((text + "\\n" + text.replace("\\n", " ") + "\\n").encode() + b"\\xff\\xed\\xb2\\x80\\n")
    stream.flush()
with open(os.path.join(os.environ["RUNNER_OUTPUT_DIR"], "m.json"), "w") as file:
    json.dump({{"m": text}}, file)
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the hostile sweep, applied once."""
    folder = tmp_path_factory.mktemp("hostile")
    sweep = {
        "exec": [sys.executable, "show.py", "$v", "$code"],
        "files": ["show.py"],
        "ranges": {"v": [EVIL, f"::{EVIL}"], "code": [0, 3]},
        "metrics": {"m": {"json": "m.json", "key": "m"}},
    }
    (folder / "show.py").write_text(PROGRAM)
    (folder / FILE).write_text(json.dumps(sweep))
    (folder / f"bad{FILE}").write_text(json.dumps({"exec": [EVIL, f"${{{EVIL}}}"], EVIL: 1, "ranges": {"x": EVIL}}))
    assert run(folder, "apply", FILE).returncode == 1
    return folder


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner", *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={**os.environ, "CI": "true", **environ},
        timeout=HANG,
        check=False,
    )


COMMANDS = (
    ("validate", FILE),
    ("validate", f"bad{FILE}"),
    ("validate", f"bad{FILE}", "--format", "json"),
    ("validate", f"bad{FILE}", "--format", "github"),
    ("validate", f"missing{FILE}"),
    ("plan", FILE, "--all"),
    ("plan", FILE, "--format", "json"),
    ("plan", FILE, "--format", "jsonl"),
    ("plan", FILE, "--lock"),
    ("plan", FILE, "--select", f"v={EVIL}"),
    ("status", FILE),
    ("status", FILE, "--format", "json"),
    ("results", FILE),
    ("results", FILE, "--format", "md"),
    ("results", FILE, "--format", "json"),
    ("results", FILE, "--group-by", "v"),
    ("results", FILE, "--pivot", "v", "m", "duration"),
    ("results", FILE, "--group-by", "v", "--format", "md"),
    ("results", FILE, "--where", f"{EVIL}=1"),
    ("apply", FILE),
    ("apply", FILE, "--format", "jsonl", "--verbose"),
    ("apply", FILE, "--backend", EVIL),
    ("apply", FILE, "--capacity", EVIL),
    ("merge", FILE, EVIL),
    ("prune", FILE),
    ("cancel", FILE, EVIL),
    ("logs", FILE, EVIL),
    ("report", FILE, "-o", f"{EVIL}/x"),
    ("run", "--exec", f"printf %s {EVIL.replace(chr(10), ' ')!r} $x", "--exec-range", f"x=case:{EVIL}"),
    ("run", "--exec", "exit $x", "--exec-range", "x=case:1", "--env", f"A={EVIL}", "--print-sweep"),
    (f"--{EVIL}",),
    (EVIL,),
    ("help", EVIL),
    ("schema", EVIL),
)
"""Every command that prints texts of others for people or as JSON; logs and the output of `run` have tests of their own."""


@pytest.mark.parametrize(
    "arguments", COMMANDS, ids=lambda words: " ".join(words).encode("unicode_escape").decode()[:60]
)
def test_no_command_prints_control_characters(applied: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(applied, *arguments, HOME=str(tmp_path))
    assert done.returncode in (0, 1, 2), done.stderr
    shown = done.stderr if arguments[:2] == ("run", "--exec") else done.stdout + done.stderr
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "arguments", COMMANDS, ids=lambda words: " ".join(words).encode("unicode_escape").decode()[:60]
)
def test_no_text_is_a_workflow_command(applied: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(applied, *arguments, GITHUB_ACTIONS="true", HOME=str(tmp_path))
    assert done.returncode in (0, 1, 2), done.stderr
    printed = list(commands(done.stdout)) if "github" not in arguments else []
    assert printed == []
    own = {"group", "endgroup", "stop-commands"}
    assert {one.name for one in commands(done.stderr)} <= own | {"error", "warning"}
    assert all(one.text != "pwn" for one in commands(done.stdout + done.stderr))


def test_json_has_the_exact_values_in_a_workflow(applied: Path) -> None:
    done = run(applied, "results", FILE, "--format", "json", GITHUB_ACTIONS="true")
    rows = json.loads(done.stdout)
    assert [row["params"]["v"] for row in rows] == [EVIL, EVIL, f"::{EVIL}", f"::{EVIL}"]
    assert rows[0]["metrics"]["m"] == EVIL


@pytest.mark.parametrize("workflow", ["", "true"])
def test_csv_file_has_the_exact_values(applied: Path, tmp_path: Path, workflow: str) -> None:
    """A cell that begins with `=` stays as it is, too: the file is data for programs."""
    target = tmp_path / "results.csv"
    with target.open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "runner", "results", FILE, "--format", "csv"],
            cwd=applied,
            stdout=file,
            env={**os.environ, "GITHUB_ACTIONS": workflow},
            check=True,
        )
    rows = list(csv.DictReader(io.StringIO(target.read_bytes().decode(), newline="")))
    assert [row["v"] for row in rows] == [EVIL, EVIL, f"::{EVIL}", f"::{EVIL}"]
    assert [row["m"] for row in rows] == [EVIL] * 4


def test_csv_in_a_pipe_of_a_workflow_has_no_command(applied: Path) -> None:
    done = run(applied, "results", FILE, "--format", "csv", GITHUB_ACTIONS="true")
    assert list(commands(done.stdout)) == []
    assert "\\::error::pwn" in done.stdout


@pytest.mark.parametrize("stream", [(), ("--stderr",)])
def test_log_is_exact_in_a_pipe_and_has_no_command_in_a_workflow(applied: Path, stream: tuple[str, ...]) -> None:
    session = json.loads(run(applied, "results", FILE, "--format", "json").stdout)[0]["id"]
    line = [sys.executable, "-m", "runner", "logs", FILE, session, *stream]
    exact = subprocess.run(line, cwd=applied, capture_output=True, check=True).stdout
    assert exact.startswith(EVIL.encode())
    assert b"\xff\xed\xb2\x80\n" in exact
    inert = run(applied, "logs", FILE, session, *stream, GITHUB_ACTIONS="true", PYTHONIOENCODING="latin-1")
    assert "::error::pwn" in inert.stdout
    assert list(commands(inert.stdout)) == []


def test_output_of_run_is_exact_and_has_no_command_in_a_workflow(tmp_path: Path) -> None:
    arguments = ("run", "--exec", "echo ::error::pwn; echo '##[error]x' >&2; echo ' ::notice::' >&2")
    assert run(tmp_path, *arguments, HOME=str(tmp_path)).stdout == "::error::pwn\n"
    done = run(tmp_path, *arguments, HOME=str(tmp_path), GITHUB_ACTIONS="true")
    assert done.stdout == "\\::error::pwn\n"
    assert "##\\[error]x\n \\::notice::\n" in done.stderr


def test_lock_of_others_is_shown_and_not_obeyed(applied: Path) -> None:
    (lock,) = applied.glob(".runner/*/lock")
    lock.write_text(json.dumps({"pid": 1, "host": EVIL, "user": EVIL, "since": 1e300}))
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for arguments in (("apply", FILE, "--fresh"), ("status", FILE), ("cancel", FILE)):
            done = run(applied, *arguments, GITHUB_ACTIONS="true")
            assert done.returncode in (0, 3), done.stderr
            assert done.stdout.replace("\n", "").isprintable()
            assert all(one.text != "pwn" for one in commands(done.stdout + done.stderr))
    lock.write_text("")


def test_reports_contain_the_texts_as_text(applied: Path, tmp_path: Path) -> None:
    """JUnit is XML with the values, the page has no element of ours, the job summary is one table."""
    summary = tmp_path / "summary.md"
    assert run(applied, "results", FILE, "--junit", str(tmp_path / "j.xml")).returncode == 0
    assert run(applied, "report", FILE, "-o", str(tmp_path / "r.html")).returncode == 0
    run(applied, "apply", FILE, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    xml = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert "<mark>`z`</mark>" in str({one.get("name"): one.get("value") for one in xml.iter("property")}["metrics.m"])
    page = (tmp_path / "r.html").read_text()
    assert "mark" not in set(_elements(page))
    for text in (page, summary.read_text(), (tmp_path / "j.xml").read_text()):
        assert not {"\x1b", "\x9b", "\u202e", "\u2066"} & set(text)
    table = [line for line in summary.read_text().split("\n") if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert not any(mark in line for line in table for mark in ("<mark>", "](http", "`z`"))


def _elements(page: str) -> Iterator[str]:
    found: list[str] = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            found.append(tag)

    Parser().feed(page)
    yield from found
