"""The text of a selection: what `--select`, `logs` and `cancel` take."""

from __future__ import annotations

import pytest

from runner.errors import InvalidInput
from runner.plan.selection import parse_selection, quoted

NAMES = ["x", "y"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('x="6:20,5:20"', {"x": "6:20,5:20"}),
        ('x="a,b",y=2', {"x": "a,b", "y": "2"}),
        ('y=2,x="a,y=3"', {"y": "2", "x": "a,y=3"}),
        (r'x="\"quoted\", \\"', {"x": '"quoted", \\'}),
        ('x=5",y="', {"x": '5"', "y": '"'}),
        ('x=,y=""', {"x": "", "y": ""}),
        ("x=a=b,repeat=1", {"x": "a=b", "repeat": "1"}),
        ("x=1,x=1.0", {"x": "1"}),
    ],
)
def test_values(text: str, values: dict[str, str]) -> None:
    assert {name: value.text for name, value in parse_selection(text, NAMES).items()} == values


@pytest.mark.parametrize("value", ["6:20,5:20", '"', '"a,b"', "a\\,b", "a\nb,c", "", "a=1,b=2", "'a,b'"])
def test_quoted_value_reads_back(value: str) -> None:
    assert parse_selection(f"x={quoted(value)},y=1", NAMES)["x"].text == value


def test_value_with_a_comma_that_is_not_quoted_has_a_hint_to_quote_it() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_selection("x=6:20,5:20", NAMES)
    assert caught.value.hint == "select by variables: `lr=0.1,seed=3`; a value with a comma is quoted: `'x=\"…,…\"'`"


@pytest.mark.parametrize("text", ["x=1,x=2", "x=1,z=2", "x=1,", ",", "x=1,,y=2", '"x=1,y=2"'])
def test_contradiction_or_syntax_error_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_selection(text, NAMES)
