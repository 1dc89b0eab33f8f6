"""Problems rendered as text and as JSON, and suggestions for misspelled names."""

from __future__ import annotations

import unicodedata
from textwrap import dedent

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config import schema
from runner.diagnostics import InvalidSweep, Problem, Source, Span, did_you_mean, nearest, render, to_json


def shown(text: str, *problems: Problem) -> str:
    return render(Source("sweep.yaml", text), problems)


def test_rendered_problem() -> None:
    text = "name: x\n" * 7 + "resource: {cpu: 1}\n"
    problem = Problem("unknown key `resource`", Span(7, 0, 7, 8), "did you mean `resources`?")
    assert shown(text, problem) == dedent(
        """\
        error: unknown key `resource`
         --> sweep.yaml:8:1
          |
        8 | resource: {cpu: 1}
          | ^^^^^^^^

        hint: did you mean `resources`?"""
    )


def test_gutter_is_as_wide_as_the_line_number() -> None:
    assert shown("\n" * 99 + "x: y", Problem("bad", Span(99, 3, 99, 4), severity="warning")) == dedent(
        """\
        warning: bad
           --> sweep.yaml:100:4
            |
        100 | x: y
            |    ^"""
    )


def test_problems_are_rendered_in_file_order() -> None:
    problems = [
        Problem("second", Span(1, 0, 1, 1)),
        Problem("first", Span(0, 2, 0, 3)),
        Problem("all of it", None),
    ]
    assert shown("a: 1\nb: 2", *problems) == dedent(
        """\
        error: all of it
         --> sweep.yaml

        error: first
         --> sweep.yaml:1:3
          |
        1 | a: 1
          |   ^

        error: second
         --> sweep.yaml:2:1
          |
        2 | b: 2
          | ^"""
    )
    assert [problem.message for problem in InvalidSweep(Source("", ""), problems).problems] == [
        "all of it",
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    ("line", "span", "picture", "carets"),
    [
        ("a: b", (0, 3, 0, 4), "a: b", "   ^"),
        ("a: b", (0, 3, 0, 3), "a: b", "   ^"),
        ("a: b", (0, 9, 0, 12), "a: b", "    ^"),
        ("a: b", (0, 0, 3, 1), "a: b", "^^^^"),
        ("\ta: b", (0, 1, 0, 2), "    a: b", "    ^"),
        ("\ta: b", (0, 0, 0, 1), "    a: b", "^^^^"),
        ("日本: x", (0, 4, 0, 5), "日本: x", "      ^"),
        ("日本: x", (0, 0, 0, 2), "日本: x", "^^^^"),
        ("e\u0301: x", (0, 4, 0, 5), "e\u0301: x", "   ^"),
        ("a\x1b[31m: x", (0, 8, 0, 9), "a␛[31m: x", "        ^"),
        ("a\u202eb: x", (0, 1, 0, 2), "a<U+202E>b: x", " ^^^^^^^^"),
        ("a\ud800b: x", (0, 2, 0, 3), "a<U+D800>b: x", "         ^"),
        ("x\u00a0y", (0, 2, 0, 3), "x y", "  ^"),
    ],
)
def test_caret_position_with_wide_and_invisible_characters(
    line: str, span: tuple[int, int, int, int], picture: str, carets: str
) -> None:
    lines = shown(line, Problem("bad", Span(*span))).split("\n")
    assert lines[3:] == [f"1 | {picture}", f"  | {carets}"]


@given(st.text(), st.integers(0, 400), st.integers(0, 400))
def test_rendered_line_has_no_control_characters(line: str, start: int, length: int) -> None:
    line = line.replace("\n", "").replace("\r", "") * 5
    output = shown(line, Problem("bad", Span(0, start, 0, start + length)))
    assert len(output.split("\n")) == 5
    assert all(character == "\n" or unicodedata.category(character)[0] != "C" for character in output)


def test_long_line_is_cut_around_the_fault() -> None:
    text = "a" * 500 + "FAULT" + "b" * 500
    line, carets = shown(text, Problem("bad", Span(0, 500, 0, 505))).split("\n")[3:]
    assert len(line) < 110
    assert line.startswith("1 | …a")
    assert line.endswith("b…")
    assert line[carets.index("^") :].startswith("FAULT")
    assert carets.count("^") == 5


def test_fault_longer_than_the_excerpt_is_cut() -> None:
    line, carets = shown("a" * 1000, Problem("bad", Span(0, 0, 0, 1000))).split("\n")[3:]
    assert len(carets) <= len(line) < 110


def test_style_is_applied_to_each_part() -> None:
    source = Source("s", "a: b")
    styled = render(source, [Problem("bad", Span(0, 0, 0, 1), "do")], lambda text, role: f"<{role}>{text}</>")
    assert styled == (
        "<error>error:</> bad\n<frame> --></> s:1:1\n<frame>  |</>\n<frame>1 |</> a: b\n"
        "<frame>  |</> <error>^</>\n\n<hint>hint:</> do"
    )


def test_json_positions_start_at_one() -> None:
    problems = [Problem("bad", Span(0, 3, 1, 0), "do"), Problem("all", None, severity="warning")]
    data = to_json(Source("s.yaml", "a: b\n"), problems)
    jsonschema.Draft202012Validator(schema.load("problems")).validate(data)
    assert data[1] == {
        "file": "s.yaml",
        "line": 1,
        "column": 4,
        "end_line": 2,
        "end_column": 1,
        "severity": "error",
        "message": "bad",
        "hint": "do",
    }
    assert [data[0][key] for key in ("line", "column", "end_line", "end_column", "hint")] == [None] * 5


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("resource", "resources"),
        ("Repeat", "repeat"),
        ("max-parallel", "max_parallel"),
        ("MAX_PARALLEL", "max_parallel"),
        ("exce", "exec"),
        ("timout", "timeout"),
        ("tiemout", "timeout"),
        ("retries", None),
        ("steps", None),
        ("xyz", None),
        ("", None),
    ],
)
def test_nearest_name(name: str, meant: str | None) -> None:
    known = ["exec", "env", "repeat", "resources", "max_parallel", "timeout", "metrics", "stop"]
    assert nearest(name, known) == meant


@pytest.mark.parametrize(("name", "other"), [("--resume", "--fresh"), ("clean", "plan"), ("ls", "logs"), ("lr", "lx")])
def test_distant_or_short_names_are_not_suggested(name: str, other: str) -> None:
    assert nearest(name, [other]) is None


def test_nearest_returns_the_first_of_equals() -> None:
    assert nearest("ratex", ["ratea", "rateb"]) == "ratea"
    assert nearest("ratex", ["rateb", "ratea"]) == "rateb"


def test_did_you_mean_knows_aliases_before_similarity() -> None:
    aliases = {"run": "exec", "retries": "write `retry: {limit: 3}`"}
    assert did_you_mean("run", ["exec"], aliases) == "did you mean `exec`?"
    assert did_you_mean("retries", ["metrics"], aliases) == "write `retry: {limit: 3}`"
    assert did_you_mean("timout", ["timeout"], form="`--{}`") == "did you mean `--timeout`?"
    assert did_you_mean("unrelated", ["timeout"], aliases) is None
