from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.backends.backendai.console import ConsoleLog, WrapperEnd, has_end, has_lines, marker, parse
from tests.fake_backendai import chunks, console_of

NAME = "0123456789ab-0123456789abcdef-1"
MARK = marker(NAME)


@given(st.binary(max_size=10_000), st.binary(max_size=4_000))
def test_any_bytes_arrive_unchanged(out: bytes, err: bytes) -> None:
    console = parse(console_of(MARK, out, err), MARK)
    assert (console.stdout.join(), console.stderr.join()) == ((out, 0), (err, 0))
    assert console.end == WrapperEnd(
        exit_code=0, cause="", duration=1.5, cpu_time=61.75, max_rss=10240, out_of_memory=False, omitted=0
    )


@given(st.binary(min_size=1, max_size=20_000), st.integers(0, 40_000), st.integers(0, 40_000))
def test_missing_bytes_of_a_truncated_log_are_counted(out: bytes, start: int, stop: int) -> None:
    """Pieces that arrive are correct, and with the end line the number of missing bytes is known."""
    log = console_of(MARK, out, b"")
    console = parse(log[start : max(start, len(log) - stop)], MARK)
    content, missing = console.stdout.join()
    for at, piece in console.stdout.pieces.items():
        assert out[at : at + len(piece)] == piece
    if console.end is not None:
        assert len(content) + missing == len(out)


def test_output_of_others_within_a_line_loses_that_line_only() -> None:
    out = bytes(range(256)) * 40
    lines = chunks(MARK, "o", out).split("\r\n")
    lines[1] = lines[1][:2000] + "\r\n[83] Nov 23 15:04:00 Child connection from 127.0.0.1\r\n" + lines[1][2000:]
    content, missing = parse(f"{MARK}:begin\r\n" + "\r\n".join(lines), MARK).stdout.join()
    assert 0 < missing <= 3000
    assert len(content) == len(out) - missing


def test_repeated_lines_and_other_markers_change_nothing() -> None:
    log = console_of(MARK, b"a" * 5000, b"")
    other = log.replace(MARK, marker("another"))
    assert parse(log + other + log, MARK).stdout.join() == (b"a" * 5000, 0)
    assert parse(other, MARK) == ConsoleLog()


def test_lines_and_end_are_found_by_the_attempts_name() -> None:
    log = console_of(MARK, b"a", b"")
    running = log[: log.index(f"{MARK}:end:")]
    assert (has_lines(log, NAME), has_end(log, NAME)) == (True, True)
    assert (has_lines(running, NAME), has_end(running, NAME)) == (True, False)
    assert (has_lines(log, "another"), has_end(log, "another")) == (False, False)
