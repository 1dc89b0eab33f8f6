"""Failures are grouped by outcome, exit code and last line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.model import Outcome
from runner.results.failures import (
    Failure,
    Logs,
    by_cause,
    explained,
    flat,
    headline,
    last_lines,
    tails,
    without_numbers,
)
from runner.state.tails import TAIL


def failure(number: int, line: str | None, outcome: Outcome = Outcome.FAILED, code: int | None = 1) -> Failure:
    return Failure(f"{number:016x}", 1, outcome, code, "exit code 1", line)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cannot open port 8080", "cannot open port 8081"),
        ("loss is 1.5e-3 at step 7", "loss is 22 at step 1,000"),
        ("<Foo object at 0x7f3a2c>", "<Foo object at 0xdeadbeef99>"),
        ("no output/6af37e3084b3662c/a.txt", "no output/99a891d771426555/a.txt"),
        ("2026-11-25 17:48:01 ERROR: gone", "2026-11-26 09:01:59 ERROR: gone"),
        (" 12%|█▏        | 12/100", " 97%|█████████▋| 97/100"),
        ("[#####.....] 50%", "[#######...] 70%"),
        ("[====>     ] 50%", "[==========] 100%"),
        ("a  b", "a b"),
        ("no 3f2504e0-abcd-41d3-9a0c-abcdefabcdef", "no 00000000-0000-4000-8000-00000000beef"),
        ("token deadbeefdeadbeefdeadbeefdeadbeef gone", "token 0123456789abcdef0123456789abcdef gone"),
        ("cannot write /tmp/tmpab12cd_x/a", "cannot write /tmp/tmpzzzzzzzz/a"),
        ("cannot write /scratch/tmp.AbCdEfGhIj", "cannot write /scratch/tmp.zZ09zZ09zZ"),
        ("no /tmp/build-XyZ12/a.c", "no /tmp/build-aBc99/a.c"),
        ("/var/folders/ab/cd_1/T/tmp1/x: gone", "/var/folders/xy/zz_9/T/tmp2/x: gone"),
        ("Mon Nov 30 20:27:44 2026: gone", "Tue Dec 1 03:00:00 2026: gone"),
        ("30 Nov 2026 9:15 AM: gone", "1 Jan 2027 11:00 PM: gone"),
        ("2026-11-30T12:00:01.123Z gone", "2027-01-01T00:00:00Z gone"),
        ("[pid 1234] gone", "[pid 99] gone"),
    ],
)
def test_numbers_do_not_distinguish_causes(one: str, other: str) -> None:
    assert without_numbers(one) == without_numbers(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no module named numpy", "no module named scipy"),
        ("cannot open a", "cannot open b"),
        ("facade", "decade"),
        ("accessed", "defaced"),
        ("no module named sklearn.LinearRegression", "no module named sklearn.LogisticRegression"),
        ("cannot open /tmp/data/a.csv", "cannot open /tmp/other/a.csv"),
        ("May fail", "Maybe"),
    ],
)
def test_words_distinguish_causes(one: str, other: str) -> None:
    assert without_numbers(one) != without_numbers(other)


def test_most_frequent_cause_comes_first() -> None:
    failures = [
        failure(0, "disk full"),
        failure(1, "lr 0.1 diverged"),
        failure(2, "lr 0.2 diverged"),
        failure(3, "lr 0.2 diverged", code=2),
        failure(4, "lr 0.2 diverged", Outcome.TIMED_OUT),
    ]
    causes = by_cause(failures)
    assert [[int(one.session, 16) for one in cause.failures] for cause in causes] == [[1, 2], [0], [3], [4]]
    assert causes[0].text == "lr 0.1 diverged"
    assert causes[0].how == "failed (exit code 1)"
    assert headline(causes) == "4 failed, 1 timed-out, 4 causes"
    assert headline(by_cause(failures[:1])) == "1 failed, 1 cause"
    assert headline([]) == ""


@pytest.mark.parametrize(
    ("code", "reason", "line", "title"),
    [
        (1, "exit code 1", "boom", "failed (exit code 1): boom"),
        (1, "exit code 1", None, "failed (exit code 1): no output"),
        (1, None, None, "failed (exit code 1): no output"),
        (137, "killed by SIGKILL", None, "failed (killed by SIGKILL)"),
        (137, "killed by SIGKILL", "boom", "failed (killed by SIGKILL): boom"),
        (None, "after 9s", None, "failed (after 9s)"),
        (None, None, None, "failed"),
    ],
)
def test_title_has_outcome_reason_and_last_line(
    code: int | None, reason: str | None, line: str | None, title: str
) -> None:
    """The reason is shown once, with or without a line; an exit code that the reason explains is left out."""
    (cause,) = by_cause([Failure("0" * 16, 1, Outcome.FAILED, code, reason, line)])
    assert cause.title == title


def test_reason_distinguishes_causes_without_a_line() -> None:
    reasons = ["used 300 MiB of its 256 MiB of memory", "used 290 MiB of its 256 MiB of memory", "no such image"]
    failures = [Failure(f"{at:016x}", 1, Outcome.REJECTED, None, reason, None) for at, reason in enumerate(reasons)]
    found = [(cause.title, len(cause.failures)) for cause in by_cause(failures)]
    assert found == [(f"rejected ({reasons[0]})", 2), (f"rejected ({reasons[2]})", 1)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", None),
        (b"\n \n", None),
        (b"one\ntwo\n\n  \n", "two"),
        (b"one\r\ntwo\r\n", "two"),
        (b"10%\r20%\r30%", "30%"),
        (b"10%\rdone\r", "done"),
        (b"\x1b[1;31merror:\x1b[0m it broke\x1b[K\n", "error: it broke"),
        (b"\x1b]0;title\x07bell \x07\n", "bell �"),
        (b"bad \xff byte", "bad � byte"),
        (b"x" * 1000, "x" * 400),
        (b"y" * TAIL + b"\nlast\n", "last"),
    ],
)
def test_last_line_is_what_a_terminal_shows(tmp_path: Path, text: bytes, line: str | None) -> None:
    (tmp_path / "log").write_bytes(text)
    found = explained(Logs(tmp_path / "missing", tmp_path / "log"))
    assert (found and found.line) == line


def test_last_lines_are_whole(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number:05}\n" for number in range(5000)))
    assert last_lines(tmp_path / "log", 2) == ["line 04998", "line 04999"]
    assert all(len(line) == len("line 00000") for line in last_lines(tmp_path / "log", 10_000))
    assert last_lines(tmp_path / "missing", 2) == []
    (tmp_path / "blank").write_text("\n \n\t\n")
    assert last_lines(tmp_path / "blank", 2) == []
    assert explained(Logs(tmp_path, tmp_path)) is None


def test_tails_have_both_streams_the_explaining_one_first(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "out", tmp_path / "err")
    logs.stdout.write_text("\n\nFAILED test_x - AssertionError\n" + "".join(f"{at}\n" for at in range(9)))
    assert flat(tails(logs, 3)) == ["6", "7", "8"]
    logs.stderr.write_text("DeprecationWarning\n")
    found = explained(logs)
    assert found == ("FAILED test_x - AssertionError", "stdout")
    assert flat(tails(logs, 3, *found)) == [
        *("stdout:", "  FAILED test_x - AssertionError", "  …", "  8", "stderr:", "  DeprecationWarning")
    ]
    assert tails(logs, 9, "6", "stdout") == [
        ("stdout", [str(at) for at in range(9)]),
        ("stderr", ["DeprecationWarning"]),
    ]
