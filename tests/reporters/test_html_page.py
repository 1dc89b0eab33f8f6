"""The page as text: failures, escaping, commands, and how it is written."""

from __future__ import annotations

import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from runner.config.load import load
from runner.diagnostics import Source
from runner.model import Outcome, Session
from runner.plan.plan import Plan
from runner.reporters.html import sections
from runner.reporters.html.markup import data_block, escaped, tag
from runner.reporters.html.page import render
from runner.reporters.html.report import read_report
from runner.state import open_for_reading
from tests.journalled import BEGIN, Ending, record_apply
from tests.reporters.html_reports import loss, report_of, sweep_of
from tests.reporters.test_streams import shell

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&lt;'\"`\x1b[31m\u2028"


def test_text_from_users_is_escaped(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "name": "a<b>&c",
            "exec": ["true", "$x"],
            "ranges": {"x": [HOSTILE, "plain"]},
            "metrics": {"<i>image": {"last_line": "m"}, "__proto__": {"last_line": "m"}},
        }
    )
    plan = Plan.of(load(Source("sweep.yaml", text), tmp_path))
    attempt = Ending(Outcome.FAILED, 3, HOSTILE, {"<i>image": HOSTILE, "__proto__": 1}, f"fir\0st\n{HOSTILE}\n")
    record_apply(plan, tmp_path, lambda _: attempt, host=HOSTILE)
    report, _, _ = report_of(plan, tmp_path)
    page = render(report, "/* plots */")
    assert "<script>document.title" not in page
    assert "<img" not in page
    assert "<b>&c" not in page
    assert "\x1b" not in page
    assert "\x00" not in page
    assert page.count("<script") == page.count("</script>") == 4
    assert "&lt;script&gt;document.title" in page
    blocks = re.findall(r'<script type="application/json" id="data-sessions">(.*?)</script>', page, re.S)
    variable = next(column for column in json.loads(blocks[0])["columns"] if column["name"] == "x")
    assert [text for text, _ in variable["values"]] == [HOSTILE, "plain"]


def test_markup_functions_escape() -> None:
    assert escaped("<a & 'b' \"c\">\x07\ud800") == "&lt;a &amp; &#x27;b&#x27; &quot;c&quot;&gt;��"
    assert (
        tag("p", tag("b", "<"), ">", class_="x", title='"', lang=None)
        == '<p class="x" title="&quot;"><b>&lt;</b>&gt;</p>'
    )
    block = data_block("d", {"x": "</script><!--\u2028&"})
    assert json.loads(re.sub("<[^>]*>", "", block)) == {"x": "</script><!--\u2028&"}
    assert block.count("<") == 2


def test_policy_allows_only_own_scripts(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1, 2]")
    page = render(report_of(plan, tmp_path)[0], "window.plots = 1;")
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src &#x27;none&#x27;" in policy
    assert policy.count("sha256-") == 2
    assert "Nothing has been applied yet." in page


def test_failures_are_listed_by_cause_with_log(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, 'a: "range:40"', "repeat: 2")

    def tell(session: Session) -> Ending | None:
        if session.index % 4 == 0:
            lines = f"Traceback\n  File m.py, line 8\nValueError: diverged at step {session.index}\n"
            return Ending(Outcome.FAILED, 1, "exit code 1", stderr=lines)
        if session.index % 10 == 1:
            return Ending(Outcome.OUT_OF_MEMORY, 137, f"used {session.index} MiB of its 9 MiB of memory")
        return None if session.index == 2 else loss(session)

    record_apply(plan, tmp_path, tell)
    report, _, _ = report_of(plan, tmp_path)
    page = render(report, "")
    assert "20 failed, 8 out-of-memory, 2 causes." in page
    assert page.index("ValueError: diverged at step 0") < page.index("used 1 MiB of its 9 MiB")
    assert "  File m.py, line 8\nValueError" in page
    example = report.causes[0].cause.example.session
    assert f"runner logs sweep.yaml {example} --stderr" in page
    assert report.counts == {"failed": 20, "out-of-memory": 8, "succeeded": 51, "new": 1}


def test_failed_build_is_cause_of_its_sessions(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    text = (
        "build: 'echo \"m:1: no rule for <b>\" >&2; exit 2'\nfiles: [m]\nexec: ['true', $a]\nranges: {a: [1, 2, 3]}\n"
    )
    plan = Plan.of(load(Source("sweep.yaml", text), tmp_path))
    (tmp_path / "sweep.yaml").write_text(text)
    command = [sys.executable, "-m", "runner", "apply"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120).returncode == 1
    report, _, _ = report_of(plan, tmp_path)
    (only,) = report.causes
    assert (only.cause.text, len(only.cause.failures)) == ("m:1: no rule for <b>", 3)
    assert "m:1: no rule for &lt;b&gt;" in render(report, "")


def test_lost_session_has_cause_and_cancelled_has_none(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1, 2, 3]")
    outcomes = [Outcome.REJECTED, Outcome.LOST, Outcome.CANCELLED]
    record_apply(plan, tmp_path, lambda session: Ending(outcomes[session.index], None, "because"))
    report, _, _ = report_of(plan, tmp_path)
    assert [one.cause.title for one in report.causes] == ["rejected (because)", "lost (because)"]
    (tmp_path / "sweep.yaml").write_text(plan.sweep.source.text)
    found = json.loads(shell(tmp_path, "runner status --format json").stdout)
    assert [(row["outcome"], row["reason"]) for row in found["failed"]] == [
        ("rejected", "because"),
        ("lost", "because"),
    ]
    status = shell(tmp_path, "runner status").stdout.splitlines()
    assert "1 lost, 1 rejected, 2 causes" in status
    assert "lost (because): a=2" in status
    assert status[0] == "sweep: 3 sessions (1 cancelled, 1 lost, 1 rejected)"
    assert status[2].startswith("1 cancelled, 1 lost, 1 rejected in ")
    assert "1 cancelled, 1 lost, 1 rejected" in sections.provenance(report)


def test_shown_commands_name_state_and_file(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, 'a: "range:201"')
    record_apply(plan, tmp_path, lambda _: Ending(Outcome.FAILED, 1))
    with open_for_reading(tmp_path, plan.sweep.name) as state:
        report = read_report(plan, state, "my sweep.yaml", Path("/some where"), BEGIN + 1000, "0.1.0")
    page = html.unescape(render(report, ""))
    example = report.causes[0].cause.example.session
    assert f"runner logs --state '/some where' 'my sweep.yaml' {example}" in page
    assert "runner results --state '/some where' 'my sweep.yaml' --group-by a --agg mean,std,count" in page


def test_report_without_vl_convert_has_no_plots(tmp_path: Path) -> None:
    """The module is missing, as on a machine that has only the core."""
    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: [1, 2]}\n")
    assert shell(tmp_path, "runner apply").returncode == 0
    program = "import sys; sys.modules['vl_convert'] = None; from runner.cli.main import run; sys.exit(run(['report']))"
    done = shell(tmp_path, shlex.join([sys.executable, "-c", program]))
    assert done.returncode == 0
    assert "the report has no plots: `pip install vl-convert-python` adds them\n" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert page.count("This report has no plots. To add them, run <code>pip install vl-convert-python</code>") == 2
    assert page.count("<script>") == 1


def test_report_is_written_atomically(tmp_path: Path) -> None:
    def runner(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runner", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'echo bad >&2; exit $1', sh, $x]\nranges: {x: [0, 3]}\n")
    assert runner("apply").returncode == 1
    done = runner("report", "-o", "out.html")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"wrote out.html \(.* KiB\)\n", done.stderr)
    page = (tmp_path / "out.html").read_text()
    assert "1 failed, 1 cause." in page
    assert page.rstrip().endswith("</html>")
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.yaml", ".runner", "out.html"}
    piped = runner("report", "-o", "-")
    assert piped.stdout.startswith("<!DOCTYPE html>")
    assert runner("report", "-o", "nowhere/out.html").returncode == 2
    if sys.platform == "linux":  # not even root can create a file there
        refused = runner("report", "-o", "/proc/out.html")
        assert refused.returncode == 3
        assert refused.stderr.startswith("error: cannot write `/proc/out.html`: no such file or directory\n")
