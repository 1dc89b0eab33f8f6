"""The parts of the Backend.AI backend by themselves: signatures, options, answers, events, the console, endings, checks."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from runner.backends.backendai import download, event_stream, outcome, upload
from runner.backends.backendai.api import Seen
from runner.backends.backendai.auth import sign
from runner.backends.backendai.console import Console, End, read
from runner.backends.backendai.errors import Refused, Unavailable, hint, of_answer
from runner.backends.backendai.options import DEFAULT_ENDPOINT, parse_mounts
from runner.backends.backendai.options import read as read_options
from runner.backends.backendai.rate_limit import Budget
from runner.backends.backendai.validation import is_time, problems
from runner.cli.options import override
from runner.config.fields import BackendChoice
from runner.errors import InvalidInput
from runner.model import Attempt, Outcome, Resources
from tests.conftest import LoadText
from tests.fake_backendai import NOISE, chunks

KEYS = {"BACKEND_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE", "BACKEND_SECRET_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
MARK = upload.key("0123456789ab-0123456789abcdef-1")

# Signatures


@pytest.mark.parametrize(
    ("method", "target", "content_type", "signature"),
    [
        ("POST", "/session", "application/json", "a30cabcf6b323d6e0438b2c142a75d16d7198d82d090e2c94221802009449f83"),
        (
            "GET",
            "/events/session?sessionName=%2A&ownerAccessKey=AKIAIOSFODNN7EXAMPLE&groupName=%2A&scope=%2A",
            "application/octet-stream",
            "d44379ba5bb443426e8bd447b45f668e3b1e92fc3da4640dcdc4af788c53d1c9",
        ),
    ],
)
def test_signatures_are_the_official_clients(method: str, target: str, content_type: str, signature: str) -> None:
    """The same as `backend.ai-client` 23.9.10 computes from the same things."""
    headers = sign(
        method=method,
        target=target,
        host="127.0.0.1:27105",
        content_type=content_type,
        at=datetime(2026, 11, 23, 15, 0, 6, 93118, UTC),
        access_key=KEYS["BACKEND_ACCESS_KEY"],
        secret_key=KEYS["BACKEND_SECRET_KEY"],
    )
    assert headers == {
        "Date": "2026-11-23T15:00:06.093118+00:00",
        "X-BackendAI-Version": "v7.20230615",
        "Authorization": f"BackendAI signMethod=HMAC-SHA256, credential=AKIAIOSFODNN7EXAMPLE:{signature}",
    }


# Options


def test_what_the_file_says_wins_over_the_environment() -> None:
    environ = {**KEYS, "BACKEND_ENDPOINT": "https://one.example/", "BACKEND_GROUP": "lab", "BACKEND_DOMAIN": "research"}
    found = read_options({"group": "other"}, environ)
    assert (found.endpoint, found.group, found.domain) == ("https://one.example", "other", "research")
    assert read_options({"endpoint": "http://two.example"}, environ).endpoint == "http://two.example"
    assert read_options({}, KEYS).endpoint == DEFAULT_ENDPOINT


def test_keys_are_never_shown() -> None:
    shown = repr(read_options({}, KEYS))
    assert not any(key in shown for key in KEYS.values())


@pytest.mark.parametrize(
    ("options", "environ", "words"),
    [
        ({}, {}, "BACKEND_ACCESS_KEY is not set"),
        ({}, {"BACKEND_ACCESS_KEY": "A"}, "BACKEND_SECRET_KEY is not set"),
        ({"endpoint": "bai.example"}, KEYS, "no http or https address"),
        ({"cluster_size": "many"}, KEYS, "`cluster_size` of backend `backend.ai` is no whole number"),
        ({"resource_opts": ["shmem"]}, KEYS, "`shmem` in option `resource_opts` is not `KEY=VALUE`"),
        ({"resource_opts": ["=64m"]}, KEYS, "`=64m` in option `resource_opts` is not `KEY=VALUE`"),
        ({"bootstrap_script": "/nowhere"}, KEYS, "cannot read the bootstrap script"),
        ({}, {**KEYS, "BACKEND_ENDPOINT_TYPE": "session"}, "is not `api`"),
    ],
)
def test_what_cannot_be_used_is_said(options: dict[str, object], environ: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_options(options, environ)


def test_mounts_in_all_three_forms() -> None:
    """As the official client reads them: `NAME`, `NAME=PATH`, `NAME:PATH`."""
    assert parse_mounts(["a", "b=/data", "c:sub", "a", "d=x:y"]) == (
        ["a", "b", "c", "d"],
        {"b": "/data", "c": "sub", "d": "x:y"},
    )


def test_resources_as_the_cluster_names_them() -> None:
    asked: Resources = {"cpu": 2, "mem": 1 << 28, "gpu": Fraction(1, 2), "cuda.device": 1, "license": 3}
    assert upload.slots(asked) == {"cpu": "2", "mem": "268435456", "cuda.shares": "0.5", "cuda.device": "1"}
    assert upload.slots({"gpu": 2}) == {"cuda.device": "2"}
    assert upload.slots({"cuda.shares": Fraction(1, 2)}) == {"cuda.shares": "0.5"}


# Answers


def problem(kind: str, title: str, **more: object) -> bytes:
    return json.dumps({"type": f"https://api.backend.ai/probs/{kind}", "title": title, **more}).encode()


@pytest.mark.parametrize(
    ("status", "content", "kind", "words", "advice"),
    [
        (
            404,
            problem("object-not-found", "No such environment image.", msg="Unknown image references: ref:'x/nope:1'"),
            "object-not-found",
            "No such environment image: Unknown image references: ref:'x/nope:1'",
            "image list",
        ),
        (
            400,
            problem(
                "invalid-api-params",
                "Missing or invalid API parameters.",
                msg="Your resource request is smaller than the minimum required by the image. (cpu=1 mem=128m)",
            ),
            "invalid-api-params",
            "Missing or invalid API parameters: Your resource request is smaller than the minimum required by the image. "
            "(cpu=1 mem=128m)",
            "more `mem`",
        ),
        (
            400,
            problem("invalid-api-params", "Missing.", msg="Input validation error", data={"name": "does not match"}),
            "invalid-api-params",
            "Missing: Input validation error: name: does not match",
            None,
        ),
        (404, b"<html>", "", "HTTP status 404", None),
    ],
)
def test_refusals_in_the_servers_words(status: int, content: bytes, kind: str, words: str, advice: str | None) -> None:
    refusal = of_answer(status, content)
    assert isinstance(refusal, Refused)
    assert (refusal.kind, refusal.words) == (kind, words)
    assert (hint(words) is None) if advice is None else advice in (hint(words) or "")


@pytest.mark.parametrize(("status", "content"), [(500, b"{}"), (502, b"<html>bad gateway"), (503, b""), (504, b"[]")])
def test_what_may_work_later(status: int, content: bytes) -> None:
    assert isinstance(of_answer(status, content), Unavailable)


# Events


def parse(lines: Iterable[str]) -> list[event_stream.Event]:
    async def source() -> AsyncIterator[str]:
        for line in lines:
            yield line

    async def collected() -> list[event_stream.Event]:
        return [event async for event in event_stream.parse(source())]

    return trio.run(collected)


RECORDED = """\
: ping

event: kernel_terminated
data: {"reason": "task-finished", "sessionName": "ct-b0", "sessionId": "83fdc06b", "exitCode": -1, "clusterIdx": 1}

event: session_success
data: {"reason": "task-done", "sessionName": "ct-b0", "ownerAccessKey": "AKIA", "sessionId": "83fdc06b", "exitCode": 0}

data: {"sessionId": "no name"}

event: broken
data: {"sessionId":

event: no_data

event: other
data: [1]

: ping
event: session_failure
id: 7
data: {"sessionId": "x",
data:  "exitCode": null}

event: cut_off
data: {"sessionId": "y"}
"""


def test_events_of_a_recorded_stream() -> None:
    """Comments, broken frames and frames about nothing are passed over; one that is cut off is none."""
    assert parse(RECORDED.splitlines()) == [
        event_stream.Event("kernel_terminated", "83fdc06b", "ct-b0", "task-finished", -1),
        event_stream.Event("session_success", "83fdc06b", "ct-b0", "task-done", 0),
        event_stream.Event("session_failure", "x", "", "", None),
    ]


@given(st.lists(st.text(st.sampled_from('abc:{}"[] \t0de'), max_size=20)))
def test_any_lines_are_survived(lines: list[str]) -> None:
    parse(lines)


# The console


def console_of(out: bytes, err: bytes, code: int = 0) -> str:
    end = f"{MARK}:end:code={code}:why=:out={len(out)}:err={len(err)}:ran=150:cpu=0m1.500000s 1m0.25s:peak=10:oom=0:left=0"
    return f"{NOISE}\r\n{MARK}:begin\r\n{chunks(MARK, 'o', out)}{chunks(MARK, 'e', err)}\r\n{end}\r\n{NOISE}"


@given(st.binary(max_size=10_000), st.binary(max_size=4_000))
def test_any_bytes_survive(out: bytes, err: bytes) -> None:
    console = read(console_of(out, err), MARK)
    assert (console.out.join(), console.err.join()) == ((out, 0), (err, 0))
    assert console.end == End(0, "", 1.5, 61.75, 10240, False, 0)


@given(st.binary(min_size=1, max_size=20_000), st.integers(0, 40_000), st.integers(0, 40_000))
def test_a_log_that_is_cut_says_how_much_is_missing(out: bytes, start: int, stop: int) -> None:
    """Whatever part of it the cluster kept, what arrives is right, and the count of what does not is, too."""
    log = console_of(out, b"")
    console = read(log[start : max(start, len(log) - stop)], MARK)
    content, missing = console.out.join()
    for at, piece in console.out.pieces.items():
        assert out[at : at + len(piece)] == piece
    if console.end is not None:
        assert len(content) + missing == len(out)


def test_noise_in_the_middle_of_a_line_spoils_that_line_alone() -> None:
    out = bytes(range(256)) * 40
    lines = chunks(MARK, "o", out).split("\r\n")
    lines[1] = lines[1][:2000] + "\r\n[83] Nov 23 15:04:00 Child connection from 127.0.0.1\r\n" + lines[1][2000:]
    content, missing = read(f"{MARK}:begin\r\n" + "\r\n".join(lines), MARK).out.join()
    assert 0 < missing <= 3000
    assert len(content) == len(out) - missing


def test_lines_twice_and_others_marks_change_nothing() -> None:
    log = console_of(b"a" * 5000, b"")
    other = log.replace(MARK, upload.key("another"))
    assert read(log + other + log, MARK).out.join() == (b"a" * 5000, 0)
    assert read(other, MARK) == Console()


def attempt_in(folder: Path) -> Attempt:
    return Attempt(
        name="0123456789ab-0123456789abcdef-1",
        session="0123456789abcdef",
        number=1,
        command="true",
        env={},
        secrets={},
        workdir=str(folder),
        stdout=str(folder / "out"),
        stderr=str(folder / "err"),
        output=str(folder / "output"),
        resources={},
        image="python:3.11",
        timeout=None,
        grace=1.0,
        root=str(folder),
    )


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "link/evil", ""])
def test_no_file_is_written_outside_the_output_folder(tmp_path: Path, path: str) -> None:
    """Whatever a container claims its files are called."""
    attempt = attempt_in(tmp_path)
    (tmp_path / "output").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output/link").symlink_to(tmp_path / "elsewhere")
    log = f"{MARK}:file:1:4:-:{encoded(path)}\r\n" + chunks(MARK, "f1", b"evil")
    download.bring_back(log, attempt.name, attempt)
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/etc/evil").exists()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("../link", "x"),
        ("link", "/etc/passwd"),
        ("link", "../elsewhere"),
        ("a/link", "../../elsewhere"),
        ("link", "here/../../elsewhere"),  # `here` leads to `.`
        ("mine/link", "x"),
        ("link", ""),
        ("link", "nul\0"),
        ("", "x"),
    ],
)
def test_no_link_leads_out_of_the_output_folder(tmp_path: Path, path: str, target: str) -> None:
    """Nor is one made outside of it; what is refused is said."""
    attempt = attempt_in(tmp_path)
    (tmp_path / "output").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output/mine").symlink_to(tmp_path / "elsewhere")
    log = f"{MARK}:link:{encoded('here')}:{encoded('.')}\n{MARK}:link:{encoded(path)}:{encoded(target)}\n"
    download.bring_back(log, attempt.name, attempt)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_symlink()) == ["here", "mine"]
    assert "1 output file could not be laid down" in Path(attempt.stderr).read_text()


def test_an_output_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    """Empty ones are tidied away, also while a job of a dead runner goes on; and none is made for nothing."""
    attempt = attempt_in(tmp_path)
    download.bring_back("", attempt.name, attempt)
    assert not (tmp_path / "output").exists()
    log = f"{MARK}:file:1:4:-:{encoded('made')}\n" + chunks(MARK, "f1", b"made")
    download.bring_back(log, attempt.name, attempt)
    assert (tmp_path / "output/made").read_text() == "made"


def test_no_file_is_written_through_a_link_that_came_along(tmp_path: Path) -> None:
    """In whatever order they are told: files first, and a link does not take a folder's place."""
    build = replace(attempt_in(tmp_path), output=str(tmp_path / "build"), root=str(tmp_path / "build"))
    (tmp_path / "build").mkdir()
    link = f"{MARK}:link:{encoded('sub')}:{encoded(str(tmp_path / 'elsewhere'))}\n"
    file = f"{MARK}:file:1:4:-:{encoded('sub/evil')}\r\n" + chunks(MARK, "f1", b"evil")
    (tmp_path / "elsewhere").mkdir()
    download.bring_back(link + file, build.name, build)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert (tmp_path / "build/sub/evil").read_text() == "evil"


@pytest.mark.parametrize("path", ["../made", "/tmp/made", "mine/made", "file/made", "nul\0"])
def test_no_folder_is_made_outside_the_output_folder(tmp_path: Path, path: str) -> None:
    attempt = attempt_in(tmp_path)
    (tmp_path / "output").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output/mine").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "output/file").write_text("")
    download.bring_back(f"{MARK}:dir:{encoded(path)}\n", attempt.name, attempt)
    assert not list(tmp_path.rglob("made"))
    assert "1 output file could not be laid down" in Path(attempt.stderr).read_text()


def test_a_reader_that_follows_sees_the_files_grow(tmp_path: Path) -> None:
    attempt = attempt_in(tmp_path)
    whole = console_of(b"one\ntwo\n", b"")
    download.logs(chunks(MARK, "o", b"one\n"), attempt)
    inode = (tmp_path / "out").stat().st_ino
    download.bring_back(whole, attempt.name, attempt)
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "out").stat().st_ino == inode


# Endings

SEEN = Seen("id", "name", "TERMINATED", "", None, None, None, 1.0, "i-1")


@pytest.mark.parametrize(
    ("seen", "code", "end", "ended"),
    [
        (SEEN, None, End(0, "", 1, None, None, False, 0), (Outcome.SUCCEEDED, 0)),
        (SEEN, None, End(5, "", 1, None, None, False, 0), (Outcome.FAILED, 5)),
        (SEEN, None, End(137, "", 1, None, None, True, 0), (Outcome.OUT_OF_MEMORY, 137)),
        (SEEN, None, End(143, "timeout", 1, None, None, False, 0), (Outcome.TIMED_OUT, 143)),
        (SEEN, None, End(143, "asked", 1, None, None, False, 0), (Outcome.CANCELLED, 143)),
        (replace(SEEN, result="SUCCESS"), None, None, (Outcome.SUCCEEDED, 0)),
        (replace(SEEN, result="FAILURE"), 9, None, (Outcome.FAILED, 9)),
        (replace(SEEN, result="FAILURE"), None, None, (Outcome.FAILED, None)),
        (replace(SEEN, result="FAILURE"), -2, None, (Outcome.FAILED, None)),
        (replace(SEEN, info="user-requested"), None, None, (Outcome.CANCELLED, None)),
        (replace(SEEN, info="idle-timeout"), None, None, (Outcome.CANCELLED, None)),
        (replace(SEEN, info="self-terminated"), None, None, (Outcome.LOST, None)),
        (replace(SEEN, info="agent-termination"), None, None, (Outcome.LOST, None)),
        (replace(SEEN, info="something new"), None, None, (Outcome.LOST, None)),
        (replace(SEEN, status="CANCELLED", info="user-requested"), None, None, (Outcome.CANCELLED, None)),
        (replace(SEEN, status="CANCELLED", info="pending-timeout"), None, None, (Outcome.REJECTED, None)),
        (
            replace(SEEN, status="CANCELLED", info="failed-to-start", fault="no image"),
            None,
            None,
            (Outcome.REJECTED, None),
        ),
        (replace(SEEN, status="ERROR", info="", fault="no image"), None, None, (Outcome.REJECTED, None)),
        (None, None, None, (Outcome.LOST, None)),
    ],
)
def test_every_ending_has_its_outcome(
    seen: Seen | None, code: int | None, end: End | None, ended: tuple[Outcome, int | None]
) -> None:
    found = outcome.ended(seen, code, Console(end=end), None)
    assert (found.outcome, found.exit_code) == ended
    assert (found.reason is None) == (found.outcome is Outcome.SUCCEEDED)


# The budget


def test_requests_that_can_wait_are_spread_over_the_window() -> None:
    budget = Budget()
    assert budget.pace(5) == 0

    async def main() -> None:
        await budget.take()
        budget.heard({"x-ratelimit-limit": "20", "x-ratelimit-remaining": "15", "x-ratelimit-window": "900"})

    trio.run(main)
    assert budget.pace(5) == 90
    assert budget.pace(100) == 900


def test_pauses_grow_with_refusals_and_are_everybodys() -> None:
    budget = Budget()
    moments: list[float] = []

    async def main() -> None:
        for _ in range(4):
            await budget.take()
            moments.append(trio.current_time())
            budget.refused()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert [round(moment) for moment in moments] == [0, 60, 180, 420]


# What can never run


def test_problems_are_found_before_anything_starts(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "small").write_text("x")
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    (tmp_path.parent / f"{tmp_path.name}-outside").write_text("x")
    text = f"exec: [true]\nbackend: backend.ai\nfiles: [small, big, ../{tmp_path.name}-outside]\n"
    found = [problem.message for problem in problems(load_text(text))]
    assert found == [
        "backend `backend.ai` needs an `image`",
        f"`../{tmp_path.name}-outside` lies outside the sweep's folder",
        "`files` come to 1 MiB, `big` alone to 1 MiB; a job of Backend.AI takes 750 KiB along",
    ]
    assert not list(problems(load_text("exec: [true]\nbackend: backend.ai\nimage: python\nfiles: [small]\n")))


def test_options_that_the_manager_would_refuse_are_problems_at_their_places(
    load_text: LoadText, tmp_path: Path
) -> None:
    (tmp_path / "long.sh").write_text("é" * (16 * 1024 + 1))
    (tmp_path / "just.sh").write_text("é" * (16 * 1024))
    text = (
        "exec: [true]\nimage: python\nbackend:\n  kind: backend.ai\n  bootstrap_script: {script}\n  starts_at: {time}\n"
    )

    def found(script: str, time: str, more: str = "") -> list[tuple[str, int]]:
        sweep = load_text(text.format(script=script, time=time) + more)
        return [(problem.message, problem.span.line + 1 if problem.span else 0) for problem in problems(sweep)]

    assert found("just.sh", "2026-12-24T20:00:00+09:00", '  preopen: "80,65535"\n') == []
    assert found("long.sh", "2026-13-45", '  preopen: "80,65536"\n') == [
        ("a bootstrap script of 16,385 characters; 16,384 are possible", 5),
        ("`2026-13-45` is no time", 6),
        ("`80,65536` holds a number that is no port", 7),
    ]
    assert found("gone.sh", "30min") == [(f"cannot read the bootstrap script `{tmp_path}/gone.sh`", 5)]
    elsewhere = override(load_text(text.format(script="gone.sh", time="never")), backend="local")
    assert list(problems(replace(elsewhere, backend=BackendChoice("backend.ai", {})))) == []


@pytest.mark.parametrize(
    "text", ["30min", "1d1hr", "2hours 15min", "20sec", "300", "-1day", "1.5h", "2026-12-24T20:00Z"]
)
def test_times_as_the_manager_takes_them(text: str) -> None:
    """The examples of its own `str_to_timedelta`, and ISO 8601."""
    assert is_time(text)


@pytest.mark.parametrize("text", ["", "+", "tomorrow", "2026-13-45", "10x", "1d 300", "5min 1h"])
def test_what_the_manager_would_take_for_no_time(text: str) -> None:
    assert not is_time(text)
