from __future__ import annotations

import pytest

from runner.text.lines import lines


@pytest.mark.parametrize("char", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r"])
def test_lines_end_at_newlines_alone(char: str) -> None:
    assert lines(f"a{char}b\nc\r\n\nd") == [f"a{char}b", "c", "", "d"]


@pytest.mark.parametrize(("text", "found"), [("", []), ("\n", [""]), ("a\n", ["a"]), ("a\n\n", ["a", ""])])
def test_last_line_may_lack_its_end(text: str, found: list[str]) -> None:
    assert lines(text) == found
