"""JUnit XML as CI systems read it: valid and complete, with any output of sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest
import xmlschema

from runner.model import Outcome
from runner.plan.plan import Plan
from runner.reporters import junit
from runner.state import open_for_writing
from tests.facts import apply_started, ended, submitted
from tests.paths import TESTS

SWEEP = """\
exec: [python3, session.py, $how]
ranges: {how: [good, bad, flaky, worse, slow, killed, silent, noisy, unborn]}
timeout: 5s
grace: 100ms
retry: {limit: 2, backoff: 10ms, on: [failed, lost]}
resources: {cpu: 0.1}
metrics: {m: {regex: 'm=(.*)'}}
"""

SESSION = r"""
import os, sys, time
how, attempt = sys.argv[1], os.environ["RUNNER_ATTEMPT"]
print("m=<&>")
if how == "slow":
    time.sleep(60)
if how == "noisy":
    sys.stderr.buffer.write(b"\x1b[31m\x00 ]]> </failure> \xff \x08\x0b & \xef\xbf\xbe end\n")
    sys.exit(1)
if how == "silent":
    print("said on stdout")
    sys.exit(4)
if how == "killed":
    os.kill(os.getpid(), 9)
if how == "bad" or how == "worse" or (how == "flaky" and attempt != "3"):
    print("first line", file=sys.stderr)
    print(f"{how} in attempt {attempt}", file=sys.stderr)
    sys.exit(3)
"""


def runner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    command = [sys.executable, "-m", "runner", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300, env=environ)


def validate(path: Path) -> None:
    xmlschema.XMLSchema(TESTS / "junit.xsd").validate(str(path))


def suites(path: Path) -> dict[str, junitparser.TestSuite]:
    read = junitparser.JUnitXml.fromfile(str(path))
    assert isinstance(read, junitparser.JUnitXml)
    return {properties(suite)["how"]: suite for suite in read if isinstance(suite, junitparser.TestSuite)}


def properties(suite: junitparser.TestSuite) -> dict[str, str]:
    return {each.attrib["name"]: each.attrib["value"] for each in suite._elem.iterfind("properties/property")}


def children(suite: junitparser.TestSuite) -> list[tuple[str, str | None, str]]:
    """Kind, type and text of each element in the test case."""
    case = suite._elem.find("testcase")
    assert case is not None
    outputs = ("system-out", "system-err")
    return [(each.tag, each.get("type"), "".join(each.itertext())) for each in case if each.tag not in outputs]


@pytest.mark.parametrize("command", ["apply", "results"])
def test_stdout_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true']\n")
    done = runner(tmp_path, command, "--junit", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: `-` is not a file" in done.stderr
    assert not (tmp_path / "-").exists()
    assert not (tmp_path / ".runner").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("junit")
    (folder / "session.py").write_text(SESSION)
    (folder / "sweep.yaml").write_text(SWEEP)
    done = runner(folder, "apply", "--junit", "junit.xml", "--max-parallel", "4")
    assert done.returncode == 1, done.stderr
    return folder


def test_document_is_valid_and_counts_match(folder: Path) -> None:
    validate(folder / "junit.xml")
    read = junitparser.JUnitXml.fromfile(str(folder / "junit.xml"))
    said = (read.tests, read.failures, read.errors)
    read.update_statistics()  # type: ignore[no-untyped-call]
    assert said == (read.tests, read.failures, read.errors) == (9, 6, 0)
    assert [path.name for path in folder.glob("*junit*")] == ["junit.xml"]


def test_variables_and_metrics_are_properties(folder: Path) -> None:
    suite = suites(folder / "junit.xml")["good"]
    found = properties(suite)
    assert len(found.pop("runner.session")) == 16
    assert found == {"how": "good", "runner.status": "succeeded", "runner.apply.attempts": "1", "metrics.m": "<&>"}
    (case,) = suite
    assert (case.name, case.classname, children(suite)) == ("how=good", "sweep", [])
    assert 0 < case.time < 60


def test_repeat_is_a_property(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: ['true', $how]\nranges: {how: [good]}\nrepeat: 2\n")
    assert runner(tmp_path, "results", "--junit", "junit.xml").returncode == 0
    read = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert [properties(suite)["repeat"] for suite in read] == ["0", "1"]


def test_every_session_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Values of different types that look alike, escaped ones, shortened ones."""
    values = """[1, "1", 1.0, true, "true", null, "null", ~, "~", "", "''", '"', "a b", "'a b'", "\\n", '\\n', "0x10", 0x10]"""
    long = "".join(f", {'x' * 100}{end}" for end in "ab")
    (tmp_path / "sweep.yaml").write_text(f"exec: ['true', 'x$how']\nranges:\n  how: {values[:-1]}{long}]\n")
    done = runner(tmp_path, "results", "--junit", "junit.xml")
    names = [suite.name for suite in junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))]
    assert (len(names), len(set(names))) == (20, 20), done.stderr


def test_failure_has_cause_and_end_of_log(folder: Path) -> None:
    found = suites(folder / "junit.xml")
    assert (
        children(found["slow"]) == [("failure", "timed-out", "m=<&>")] or children(found["slow"])[0][1] == "timed-out"
    )
    first, *again = children(found["bad"])
    assert first == ("failure", "failed", "first line\nbad in attempt 1")
    assert again == [("rerunFailure", "failed", f"first line\nbad in attempt {number}") for number in (2, 3)]
    message = found["bad"]._elem.find("testcase/failure").get("message")
    assert message == "exit code 3: bad in attempt 1"
    assert children(found["silent"])[0] == ("failure", "failed", "m=<&>\nsaid on stdout")
    assert children(found["killed"])[0][:2] == ("failure", "failed")


def test_success_after_retry_is_flaky(folder: Path) -> None:
    suite = suites(folder / "junit.xml")["flaky"]
    assert (suite.failures, suite.errors) == (0, 0)
    assert children(suite) == [("flakyFailure", "failed", f"first line\nflaky in attempt {n}") for n in (1, 2)]
    (case,) = suite
    assert case.is_passed


def test_any_output_of_sessions_is_valid(folder: Path) -> None:
    text = children(suites(folder / "junit.xml")["noisy"])[0][2]
    assert "]]> </failure>" in text
    assert text.endswith("end")


def test_failure_of_earlier_apply_is_not_flaky(folder: Path) -> None:
    """A cached state keeps all failures; only attempts of one apply are retries."""
    again = folder / "again"
    again.mkdir()
    (again / "session.py").write_text(SESSION)
    (again / "sweep.yaml").write_text("exec: [sh, -c, 'test -e good', sh, $how]\nranges: {how: [x]}\n")
    assert runner(again, "apply", "--junit", "a.xml").returncode == 1
    (again / "good").touch()
    assert runner(again, "apply", "--junit", "b.xml").returncode == 0
    assert [kind for kind, _, _ in children(suites(again / "a.xml")["x"])] == ["failure"]
    assert children(suites(again / "b.xml")["x"]) == []


def test_characters_outside_xml_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        'exec: ["false", $how]\nname: "<&\\""\nranges: {how: ["a\\x01\\e", "t\\tn\\nr\\r", "\\uFFFE", "<&>\\"\'", "😀"]}\n'
    )
    assert runner(tmp_path, "apply", "--junit", "junit.xml").returncode == 1
    validate(tmp_path / "junit.xml")
    values = [
        prop.get("value") for prop in ElementTree.parse(tmp_path / "junit.xml").iterfind(".//property[@name='how']")
    ]
    assert values == ["a\\x01\\x1b", "t\tn\nr\r", "\\ufffe", "<&>\"'", "😀"]


def test_session_not_run_is_skipped_also_by_results(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [test, $how, -lt, 2]\nranges: {how: [1, 2, 3]}\n")
    runner(tmp_path, "apply", "--fail-fast", "--max-parallel", "1", "--junit", "a.xml")
    assert runner(tmp_path, "results", "--junit", "b.xml").returncode == 0
    assert (tmp_path / "a.xml").read_bytes() == (tmp_path / "b.xml").read_bytes()
    validate(tmp_path / "a.xml")
    assert [[kind for kind, _, _ in children(suite)] for suite in suites(tmp_path / "a.xml").values()] == [
        *([], ["failure"], ["skipped"])
    ]
    assert runner(tmp_path, "apply", "--select", "how=1", "--junit", "c.xml").returncode == 0
    assert list(suites(tmp_path / "c.xml")) == ["1"]


def test_failed_build_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: ['true']\nbuild: echo $how is broken >&2; exit $how\nfiles: [sweep.yaml]\nranges: {how: [0, 7]}\n"
    )
    assert runner(tmp_path, "apply", "--junit", "junit.xml").returncode == 1
    validate(tmp_path / "junit.xml")
    ((kind, _, text),) = children(suites(tmp_path / "junit.xml")["7"])
    assert (kind, text) == ("failure", "7 is broken")


def test_unwritable_path_is_refused_before_start(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [touch, ran]\n")
    done = runner(tmp_path, "apply", "--junit", "nowhere/junit.xml")
    assert (done.returncode, (tmp_path / "ran").exists()) == (2, False)
    assert "cannot write `nowhere/junit.xml`" in done.stderr


@pytest.mark.parametrize(
    ("tried", "kinds"),
    [
        ([Outcome.LOST, Outcome.FAILED], ["rerunFailure", "error"]),
        ([Outcome.FAILED, Outcome.LOST], ["failure", "rerunError"]),
        ([Outcome.FAILED, Outcome.LOST, Outcome.SUCCEEDED], ["flakyFailure", "flakyError"]),
        ([Outcome.LOST, Outcome.FAILED, Outcome.SUCCEEDED], ["flakyFailure", "flakyError"]),
        ([Outcome.CANCELLED], ["error"]),
        ([Outcome.REJECTED], ["error"]),
        ([Outcome.OUT_OF_MEMORY], ["failure"]),
    ],
)
def test_elements_are_in_order_of_surefire_schema(
    tmp_path: Path, plan_text: Callable[[str], Plan], tried: list[Outcome], kinds: list[str]
) -> None:
    plan = plan_text("exec: [echo, $how]\nranges: {how: [x]}\n")
    (one,) = plan
    with open_for_writing(tmp_path, "sweep") as state:
        state.journal.record(apply_started(recipe=plan.recipe))
        for number, outcome in enumerate(tried, 1):
            state.journal.record(submitted(one, number))
            state.journal.record(ended(one, outcome, number))
        junit.write(tmp_path / "junit.xml", plan, lambda: plan, state)
    validate(tmp_path / "junit.xml")
    assert [kind for kind, _, _ in children(suites(tmp_path / "junit.xml")["x"])] == kinds
