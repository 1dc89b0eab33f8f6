"""GitHub Actions: commands as its runner parses them, and its limits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.diagnostics import Problem, Source, Span
from runner.model import Outcome, Value
from runner.reporters import github, github_summary
from runner.results.columns import Columns, Row
from runner.results.failures import Cause, Failure, by_cause
from runner.results.rows import Result, result_row
from runner.text.escape import printable, printable_lines
from runner.text.workflow import command
from tests.facts import session


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    text: str


def unescaped(text: str) -> str:
    for token, mark in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(mark, token)
    return text


def commands(log: str) -> Iterator[Command]:
    """The commands that GitHub's runner finds (ActionCommand.TryParseV2, ActionCommandManager).

    It ignores leading space, and all commands between `stop-commands` and its token.
    """
    stopped = None
    for line in log.splitlines():
        found = re.match(r"\s*::([\w-]+)(?: ([^:]*))?::(.*)", line)
        if stopped is not None:
            stopped = None if line.strip() == f"::{stopped}::" else stopped
        elif found and found[1] == "stop-commands":
            stopped = found[3]
        elif found:
            pairs = [pair.partition("=") for pair in (found[2] or "").split(",") if pair]
            yield Command(found[1], {name: unescaped(value) for name, _, value in pairs}, unescaped(found[3]))
        else:
            assert "##[" not in line, "GitHub accepts the old form of a command anywhere in a line"


TEXTS = st.text() | st.text("%0123ADC:,\r\n ")


@given(TEXTS, TEXTS, TEXTS)
def test_command_preserves_any_text(text: str, title: str, file: str) -> None:
    line = command("error", text, title=title, file=file, line=3, col=None)
    assert "\n" not in line
    assert "\r" not in line
    body = line.split("::", 2)
    properties = dict(pair.split("=", 1) for pair in body[1].partition(" ")[2].split(","))
    assert {name: unescaped(value) for name, value in properties.items()} == {
        "title": printable(title),
        "file": printable(file),
        "line": "3",
    }
    assert unescaped(body[2]) == printable_lines(text)


def causes(count: int) -> list[Cause]:
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(count)]
    failures = [
        Failure(f"{at:016x}", 1, Outcome.FAILED, 1, "exit code 1", f"cause {word}")
        for word in words
        for at in range(1 + (word == "a"))
    ]
    return by_cause(failures)


@pytest.mark.parametrize(("count", "lines"), [(0, 0), (1, 1), (10, 10), (11, 10), (500, 10)])
def test_annotations_are_limited_to_ten(count: int, lines: int) -> None:
    found = list(commands("\n".join(github.cause_annotations(causes(count), {}, {}, "sweep.yaml"))))
    assert len(found) == lines
    if count:
        assert found[0].properties == {"file": "sweep.yaml", "title": "2 failed (exit code 1): cause a"}
    if count > 10:
        assert found[-1].text == f"and {count - 9} more failures of {count - 9} more causes"


def test_problems_are_annotated_at_their_lines() -> None:
    source = Source("a,b.yaml", "x\n" * 40)
    problems = [
        *(Problem(f"no `{at}`: 100%", Span(at, 1, at, 3), "mend\nit") for at in range(12)),
        Problem("odd", None, severity="warning"),
    ]
    found = list(commands("\n".join(github.problem_annotations(source, problems, {}))))
    assert [one.name for one in found] == ["error"] * 10 + ["warning"]
    place = {"line": "1", "endLine": "1", "col": "2", "endColumn": "4"}
    assert found[0].properties == {"file": "a,b.yaml", **place, "title": "no `0`: 100%"}
    assert found[0].text == "no `0`: 100%\nhint: mend␊it"
    assert found[9].text == "and 3 more problems in `a,b.yaml`"
    assert found[10] == Command("warning", {"file": "a,b.yaml", "title": "odd"}, "odd")


def test_paths_are_relative_to_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    workspace = {"GITHUB_WORKSPACE": str(tmp_path)}
    assert github.in_repository("sweep.yaml", workspace) == "sub/sweep.yaml"
    assert github.in_repository("../sweep.yaml", workspace) == "sweep.yaml"
    assert github.in_repository("/elsewhere/sweep.yaml", workspace) == "/elsewhere/sweep.yaml"
    assert github.in_repository("sweep.yaml", {}) == "sweep.yaml"


def summary(found: list[Cause]) -> github_summary.JobSummary:
    columns = Columns(["lr", "X"], False, ["loss"]).short
    return github_summary.JobSummary("a|b [x](y)", "1 failed", found, {}, {f"{0:016x}": ["<script>", "", "&"]}, columns)


def rows(count: int) -> Iterator[Row]:
    for number in range(count):
        one = session(number)._replace(params={"lr": Value("1e-3", 0.001), "X": Value("|", "|")})
        new = result_row(Result(one, None, "failed"), None)
        yield new._replace(exit_code=1, attempts=1, duration=1.5, metrics={"loss": Value("a|<b>", "a|<b>")})


def test_summary_has_a_line_per_session_and_is_escaped() -> None:
    text = summary(causes(12)).markdown(rows(3), github_summary.LARGEST)
    table = text[text.index("| id") :].rstrip("\n").split("\n")
    assert len(table) == 2 + 3
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<script>" not in text
    assert "[x](y)" not in text
    assert "- and 2 more causes" in text


@pytest.mark.parametrize("limit", [-5, 0, 100, 2000, 20_000, 1 << 20])
def test_summary_is_cut_at_its_limit(limit: int) -> None:
    text = summary(causes(3)).markdown(rows(20_000), limit)
    assert len(text.encode()) <= max(0, limit)
    if limit >= 2000:
        assert text.endswith(github_summary.CUT)
        assert len(text.encode()) > limit - 500


SWEEP = """\
exec: [sh, -c, 'printf "::set-env name=PATH::x\\n##[error]x\\n  ::warning::lr $1 is nan\\n" >&2; exit $2', sh, $lr, $code]
ranges: {lr: [0.1, 0.2], code: [0, 3, 4]}
resources: {cpu: 0.5}
"""


def runner(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    command = [sys.executable, "-m", "runner", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300, env={**clean, **environ}
    )


def test_apply_annotates_causes_and_writes_summary(tmp_path: Path) -> None:
    """The output of sessions is never a command; stdout stays empty."""
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "summary.md").write_text("earlier text\n")
    place = {"GITHUB_WORKSPACE": str(tmp_path.parent), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    done = runner(tmp_path, "apply", GITHUB_ACTIONS="true", **place)
    assert (done.returncode, done.stdout) == (1, "")
    found = list(commands(done.stderr))
    assert [one.name for one in found] == ["group", "endgroup", "error", "error", *["group", "endgroup"] * 2]
    annotation = found[2]
    assert annotation.properties["file"] == f"{tmp_path.name}/sweep.yaml"
    assert annotation.properties["title"] == "2 failed (exit code 3): ##[error]x"
    assert annotation.text.startswith("for example lr=0.1 code=3 (")
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("earlier text\n## sweep\n")
    assert "2 succeeded, 4 failed" in text
    assert text.count("\n| ") == 2 + 6


def test_step_log_folds_at_most_ten_causes(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'echo $1 >&2; exit 1', sh, $x]\nresources: {cpu: 0.1}\n"
        "ranges: {x: [a, b, c, d, e, f, g, h, i, j, k, l]}\n"
    )
    log = runner(tmp_path, "apply", GITHUB_ACTIONS="true").stderr
    assert sum(one.name == "group" for one in commands(log)) == 1 + 10
    assert log.endswith("\nand 2 more causes\n")


def test_failure_on_stdout_is_shown_beside_warnings_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: \"echo 'FAILED test_x - AssertionError'; echo DeprecationWarning >&2; exit 1 # $c\"\nranges: {c: 'range:3'}\n"
    )
    place = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    done = runner(tmp_path, "apply", "--junit", "junit.xml", **place)
    (annotation,) = (one for one in commands(done.stderr) if one.name == "error")
    assert annotation.properties["title"] == "3 failed (exit code 1): FAILED test_x - AssertionError"
    assert annotation.text.split("\n")[-4:] == [
        *("stdout:", "  FAILED test_x - AssertionError", "stderr:", "  DeprecationWarning")
    ]
    assert "  see: runner logs sweep.yaml " in done.stderr
    summary = (tmp_path / "summary.md").read_text()
    report = runner(tmp_path, "report", "-o", "report.html")
    assert report.returncode == 0
    for text in (summary, (tmp_path / "report.html").read_text()):
        assert "FAILED test_x - AssertionError" in text
        assert "DeprecationWarning" in text
    document = ElementTree.parse(tmp_path / "junit.xml")
    assert {one.text for one in document.iterfind(".//system-out")} == {"FAILED test_x - AssertionError"}
    assert {one.text for one in document.iterfind(".//system-err")} == {"DeprecationWarning"}
    assert {one.get("message") for one in document.iterfind(".//failure")} == {
        "exit code 1: FAILED test_x - AssertionError"
    }
    seen = [line.split() for line in done.stderr.splitlines() if line.startswith("  see: ")]
    assert [line[4:] for line in seen] == [[seen[0][4]], [seen[0][4], "--stderr"]]
    assert runner(tmp_path, *seen[0][2:]).stdout == "FAILED test_x - AssertionError\n"
    assert runner(tmp_path, *seen[1][2:]).stdout == "DeprecationWarning\n"


def test_no_commands_outside_workflow_or_in_jsonl(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    assert not [one for one in runner(tmp_path, "apply").stderr.splitlines() if one.startswith("::group")]
    done = runner(tmp_path, "apply", "--format", "jsonl", GITHUB_ACTIONS="true")
    assert all(json.loads(line) for line in done.stdout.splitlines())


def test_unwritable_summary_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\n")
    done = runner(tmp_path, "apply", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path))
    assert done.returncode == 0
    assert f"warning: cannot write the job summary `{tmp_path}`: is a directory" in done.stderr


@pytest.mark.parametrize("form", ["github", "text"])
def test_validate_annotates_line(tmp_path: Path, form: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $a]\nranges:\n  a: [1]\n  b: [1]\nresource: 3\n")
    environ = {"GITHUB_ACTIONS": "true"} if form == "text" else {}
    done = runner(tmp_path, "validate", "--format", form, **environ)
    assert done.returncode == 2
    found = list(commands(done.stdout if form == "github" else done.stderr))
    assert [(one.name, one.properties["file"], one.properties["line"]) for one in found] == [
        *(("error", "sweep.yaml", "4"), ("error", "sweep.yaml", "5"))
    ]
    (tmp_path / "sweep.yaml").write_text("exec: [echo]\n")
    done = runner(tmp_path, "validate", "--format", form, **environ)
    assert (done.returncode, list(commands(done.stdout + done.stderr))) == (0, [])


def test_every_command_annotates_invalid_file(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: 3\n")
    done = runner(tmp_path, "apply", GITHUB_ACTIONS="true")
    assert (done.returncode, [one.properties["line"] for one in commands(done.stderr)]) == (2, ["1"])


def test_error_of_apply_is_annotated_outside_fold(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\nresources: {mem: 9999t}\n")
    done = runner(tmp_path, "apply", GITHUB_ACTIONS="true")
    found = [(one.name, one.properties.get("line")) for one in commands(done.stderr)]
    assert (done.returncode, found) == (2, [("group", None), ("endgroup", None), ("error", "2")])
    done = runner(tmp_path, "apply", "--frozen", GITHUB_ACTIONS="true")
    (error,) = commands(done.stderr)
    assert error == Command(
        "error", {"title": "runner"}, "`sweep.lock.json` does not exist\nhint: `runner plan --lock` writes it"
    )
