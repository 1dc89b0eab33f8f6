"""Logs on their way to a terminal and to the log of a CI job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.text.filters import LONGEST_LINE, Filter, TerminalFilter, WorkflowFilter, filtered

PIECES = st.lists(st.binary(max_size=8) | st.sampled_from([b"\x1b", b"[", b"31m", b"::", b"##", b"\n", b"\r", b" "]))


def through(filter_: Filter, *chunks: bytes) -> bytes:
    return b"".join(map(filter_.feed, chunks)) + filter_.end()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"a\tb\r\nc\b", b"a\tb\r\nc\b"),
        (b"\x1b[1;31mred\x1b[0m", b"\x1b[1;31mred\x1b[0m\x1b[0m"),
        (b"50%\x1b[K\r", b"50%\x1b[K\r\x1b[0m"),
        (b"\x1b]0;title\x07", "␛]0;title␇".encode()),
        (b"\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇".encode()),
        (b"\x1b[2J\x1b[H", "␛[2J␛[H".encode()),
        (b"\xff\xc2\x9b1m", "\ufffd<U+009B>1m".encode()),
        ("\u202eabc".encode(), b"<U+202E>abc"),
    ],
)
def test_terminal_gets_colours_and_nothing_else(text: bytes, shown: bytes) -> None:
    assert through(TerminalFilter(), text) == shown


@given(PIECES)
def test_chunks_do_not_matter_for_a_terminal(chunks: list[bytes]) -> None:
    assert through(TerminalFilter(), *chunks) == through(TerminalFilter(), b"".join(chunks))


@given(PIECES)
def test_chunks_do_not_matter_for_a_workflow(chunks: list[bytes]) -> None:
    assert through(WorkflowFilter(), *chunks) == through(WorkflowFilter(), b"".join(chunks))


def test_workflow_commands_become_text_and_other_bytes_stay() -> None:
    log = b"\xff\x1b[31m::\n  ::error::x\r::x\n##[group]\xfe"
    assert through(WorkflowFilter(), log) == b"\xff\x1b[31m::\n  \\::error::x\r\\::x\n##\\[group]\xfe"


def test_command_in_a_very_long_line() -> None:
    line = b"x" * LONGEST_LINE + b"##"
    assert through(WorkflowFilter(), line, b"[error]") == line + b"\\[error]"


def test_log_without_a_filter_stays_as_it_is() -> None:
    assert list(filtered([b"\x1b]0;", b"x\x07"], None)) == [b"\x1b]0;", b"x\x07"]
