"""No text but runner's own commands is a workflow command of GitHub."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.text.workflow import add_mask, inert, inert_json


def is_command(line: str) -> bool:
    """As GitHub's ActionCommand: `::` after white space, `##[` anywhere."""
    return line.lstrip().startswith("::") or "##[" in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", r"\::error::x"),
        ("  ::add-mask::x", r"  \::add-mask::x"),
        ("\t\xa0\u3000::x::", "\t\xa0\u3000\\::x::"),
        ("a\n::x::\n b ::c", "a\n\\::x::\n b ::c"),
        ("50%\r::x::", "50%\r\\::x::"),
        ("a\r\n::x::", "a\r\n\\::x::"),
        ("a ##[error]b", r"a ##\[error]b"),
        ("\ufeff::x::", "\ufeff\\::x::"),
        ("a::b", "a::b"),
        ("# [x]", "# [x]"),
    ],
)
def test_commands_get_a_backslash(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text(st.sampled_from("a: #[]\n\r\t\xa0\u2003\x0b\x85")))
def test_no_line_is_a_command(text: str) -> None:
    assert not any(is_command(line) for line in re.split(r"\r\n|\r|\n", inert(text)))


@given(st.text(st.sampled_from("a:#[]")))
def test_json_has_no_command_and_the_same_data(text: str) -> None:
    written = inert_json(json.dumps([text]))
    assert json.loads(written) == [text]
    assert not is_command(written)


def test_mask_is_one_line() -> None:
    assert add_mask("50%\r") == "::add-mask::50%25%0D"
