"""Sweep files from bytes to nodes with positions. Any input gives a document, problems or InvalidSweep."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runner.config import schema
from runner.config.yaml import MappingNode, RefusedNode, ScalarNode, SequenceNode, at, parse, place, plain, read, reader
from runner.config.yaml.composer import DEEPEST
from runner.config.yaml.reader import decode
from runner.diagnostics import InvalidSweep, Problem, Source, Span, render
from tests.paths import TESTS

SAMPLES = [
    path.read_text(encoding="utf-8")
    for folder in ("good", "bad")
    for path in sorted((TESTS / folder).iterdir())
    if path.is_file() and path.stem not in ("binary", "not-utf-8")
]


def parsed(text: str) -> tuple[MappingNode | None, list[Problem]]:
    return parse(Source("sweep.yaml", text))


def good(text: str) -> MappingNode:
    document, problems = parsed(text)
    assert problems == []
    assert document is not None
    return document


def messages(text: str) -> list[str]:
    return [problem.message for problem in parsed(text)[1]]


@pytest.mark.parametrize("path", sorted((TESTS / "good").iterdir()), ids=lambda path: path.name)
def test_good_file_has_no_problems(path: Path) -> None:
    source = read(path)
    document, problems = parse(source)
    assert document is not None
    assert render(source, [*problems, *schema.check(document)[1]]) == ""


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("~", None),
        ("null", None),
        ("true", True),
        ("'true'", "true"),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ("!!int 3", 3),
        ('!!int "3"', 3),
        ("!!float 1", 1.0),
        ('!!bool "true"', True),
        ('!!null ""', None),
        ("&x 7", 7),
        ("|\n  x\n  y\n", "x\ny\n"),
        (">\n  x\n  y\n", "x y\n"),
        ("b\tc", "b\tc"),
        ('"\\U0001f600\\u00e9\\/"', "😀é/"),
        ("'\\ud83d'", "\\ud83d"),
        ("\ue000 ${x}", "\ue000 ${x}"),
    ],
)
def test_scalar_has_the_type_of_the_core_schema(text: str, data: Any) -> None:
    assert plain(good(f"a: {text}")) == {"a": data}
    assert type(plain(good(f"a: {text}"))["a"]) is type(data)


def test_scalar_keeps_its_text() -> None:
    document = good("a: [1e-3, 010, 1.50, ~, '1']\nb: |\n  x\n")
    items = document.get("a")
    assert isinstance(items, SequenceNode)
    scalars = [node for node in items.items if isinstance(node, ScalarNode)]
    assert [node.value.text for node in scalars] == ["1e-3", "010", "1.50", "~", "1"]
    assert [node.quoted for node in scalars] == [False] * 4 + [True]
    block = document.get("b")
    assert isinstance(block, ScalarNode)
    assert block.block


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a: b", Span(0, 3, 0, 4)),
        ("a: 'b c'", Span(0, 3, 0, 8)),
        ("日本: 😀x", Span(0, 4, 0, 6)),
        ("a: [b,\n  c]", Span(0, 3, 1, 4)),
        ("a:\n- b\n- c: d\n# end\n", Span(1, 0, 2, 6)),
        ("a:\n  b:\n    c: [d]\n\n\n", Span(1, 2, 2, 10)),
        ("a: &x b", Span(0, 6, 0, 7)),
        ("a: !!str &x b", Span(0, 12, 0, 13)),
        ("a: &x # here\n  b", Span(1, 2, 1, 3)),
        ("a:", Span(0, 0, 0, 1)),
    ],
)
def test_position_of_a_value(text: str, span: Span) -> None:
    assert [value.span for _, value in good(text).entries] == [span]


def test_at_follows_a_path() -> None:
    document = good("a:\n  b: [1, {c: 2}]\n")
    found = at(document, ["a", "b", 1, "c"])
    assert isinstance(found, ScalarNode)
    assert found.value == ("2", 2)
    with pytest.raises(KeyError):
        at(document, ["a", "b", 2])
    with pytest.raises(KeyError):
        at(document, ["a", "b", 0, "c"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: x $y $y", (0, 8, 10)),
        ("a: 'x $y ''$y'", (0, 11, 13)),
        ('a: "x $y \\t $y"', (0, 12, 14)),
        ("a: |\n  x $y\n  $y\n", (2, 2, 4)),
        ("a: x\n  $y\n  $y", (2, 2, 4)),
        ("a: &n x $y $y", (0, 11, 13)),
    ],
)
def test_position_of_a_part_of_a_scalar(text: str, expected: tuple[int, int, int]) -> None:
    node = good(text).get("a")
    assert isinstance(node, ScalarNode)
    start = node.value.text.rindex("$y")
    line, column, end = expected
    assert place(Source("", text), node, start, start + 2) == Span(line, column, line, end)


def test_escape_makes_a_part_the_whole_scalar() -> None:
    text = 'a: "x \\x24y $y"'
    node = good(text).get("a")
    assert isinstance(node, ScalarNode)
    assert place(Source("", text), node, 2, 4) == node.span


def test_aliases_are_expanded() -> None:
    document = good("a: &x [1, {b: 2}]\nc: *x\nd: &x 3\ne: *x\n")
    assert plain(document) == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": 3, "e": 3}
    assert document.get("c") is document.get("a")


@pytest.mark.parametrize(
    "text",
    ["exec: " + opener * 100_000 for opener in ("[", "{a: ", "- ", "? ", "[[a], ")]
    + ["[" * 100_000, "a:\n" + " - " * 50_000],
    ids=lambda text: text[:12],
)
def test_very_deep_nesting_is_one_problem(text: str) -> None:
    document, problems = parse(Source("", text))
    assert document is None
    expected = f"nested deeper than {DEEPEST} levels"
    if "- -" in text or "? ?" in text:  # neither may begin on the line of its key
        expected = problems[0].message
    assert [problem.message for problem in problems] == [expected]


def test_deepest_nesting_allowed() -> None:
    assert good("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    assert messages("a: " + "[" * (DEEPEST + 1)) == [f"nested deeper than {DEEPEST} levels"]


def test_depth_includes_aliases() -> None:
    text = "".join(f"a{n}: &a{n} {'[' * 60}{f'*a{n - 1}' if n else ''}{']' * 60}\n" for n in range(20))
    assert messages(text) == [f"nested deeper than {DEEPEST} levels"]


def test_many_aliases_of_a_small_value() -> None:
    assert good("a: &x [1, 2]\nb: [" + "*x, " * 5000 + "]")


def test_problems_before_a_syntax_error_are_reported() -> None:
    assert messages("a: 1\na: 2\nb:\n  1: x\n  c: *d\ne: [") == [
        "duplicate key `a`, first given on line 1",
        "a key must be a string, not a number: `1`",
        "unknown alias `*d`",
        "`[` is never closed",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {X: case:1,2,3, Y: 4}", "a comma ends an unquoted range expression in `{ }`"),
        ("a: {X: range:[1,2]}", "a comma ends an unquoted range expression in `{ }`"),
        ("a: {X: case:,b}", "a comma ends an unquoted range expression in `{ }`"),
        ("a: [${x}]", "unquoted `${x}` in brackets"),
        ("a: {b: -${x}}", "unquoted `${x}` in brackets"),
        ("a: [${x]", "unquoted `${x` in brackets"),
        ("a: [b, ${{ matrix.x }}]", "`${{ matrix.x }}` is not a variable"),
        ("a: [b, {{ x }}]", "`{{ x }}` is not a variable"),
        ("a: {{ b.x }}", "`{{ b.x }}` is not a variable"),
        ("a: [b, {x}]", "`{x}` is not a variable"),
        ("a: {b, c: d}", "the key `b` has no value"),
        ("a:\u00a0[b]\nc: d", "a no-break space where YAML needs a space"),
        ("a:\u00a0[b]", "a no-break space where YAML needs a space"),
        ("a: b\n\u3000c: d", "the space U+3000 where YAML needs a space"),
        ("a: “b”", "`“` is part of the value, not a quote"),
        ("a: {b:1}", "no space after the `:` in `b:1`"),
        ("a: [b", "`[` is never closed"),
        ("a: [b}", "`[` is closed by `}`"),
        ("a: {b: [}", "`[` is closed by `}`"),
        ("a: {b: [", "`[` is never closed"),
        ("a: {", "`{` is never closed"),
        ("a: b]\nc: [d]]", "`]` closes nothing"),
        ("a: ['b' 'c']", "no `,` or `]` before this"),
        ("a: {b: c: d}", "unexpected `:` in `{ }`"),
        ("a: [b, , c]", "a value is missing before this"),
        ("a:\n\tb: 1", "a tab where YAML needs spaces"),
        ("a: |\n\tb", "a tab where YAML needs spaces"),
        ("- \ta: 1\n-\tb", "a tab where YAML needs spaces"),
        ("a: @b", "a plain value cannot begin with `@`"),
        ("a: *.csv", "`*.csv` is read as an alias"),
        ("a: &", "`&` is read as an anchor"),
        ("a: {b: !x}", "`!x` is read as a tag"),
        ("a: !x!y z", "`!x!y` is read as a tag"),
        ("a: 'b", "the quote `'` is never closed"),
        ('a: "\\q"', "unknown escape `\\q`"),
        ('a: "\\xZ"', "`\\xZ` needs 2 digits after `\\x`, 4 after `\\u`, 8 after `\\U`"),
        ('a: "\\UFFFFFFFF"', "`\\UFFFFFFFF` is not a character"),
        ('a: "\\ude00\\ud83d"', "`\\ude00` is half of a character"),
        ("a: b: c", "a `:` inside an unquoted value"),
        ("a: b\n  c: d", "`c` is indented more than the entry above"),
        ("a: - b", "a list cannot begin on the line of its key"),
        ("a: ? b", "a plain value cannot begin with `? `"),
        ("a:\n  b: c\n d: e", "the indentation matches no line above"),
        ("a:\n  - b\n  c: d", "not part of the list above"),
        ("a: 'it's'", "text after the closing quote"),
        ('a: "b" c', "text after the closing quote"),
        ("a: b\n...\nc", "text after the end of the document"),
        ("a: b\nc\nd: e", "an entry without `: `"),
        ("a: | b", "text after the block indicator"),
        ("%% x", "unknown directive `%%`"),
        ("%YAML 3.0\n---\na: b", "unknown directive `%YAML`"),
        ("a: [b, - c]", "a plain value cannot begin with `-`"),
        ("a: {: b}", "no key before the `:`"),
        ("?\n: b", "no key before the `:`"),
        ("a: {" + "b" * 1025 + ": c}", "a key of more than 1024 characters"),
        ("a: !!int b", "`b` is not a `!!int`"),
        ("a: !!binary b", "unknown tag `!!binary`"),
        ("a: !<x:y> b", "unknown tag `!<x:y>`"),
        ("a: !!set {}", "unknown tag `!!set`"),
        ("a: &x {b: *x}", "the alias `*x` is inside the value that it refers to"),
        ("a:b", "a sweep file must be a mapping, not a string"),
        ("3", "a sweep file must be a mapping, not a number"),
        ("true", "a sweep file must be a mapping, not true or false"),
        ("~", "a sweep file must be a mapping, not null"),
        ("---", "the file is empty"),
        ("...", "a value is missing"),
        ("a: b\u2028c", "invisible character U+2028"),
        ("a: \ud800", "invisible character U+D800"),
        ("a: \x00", "invisible character U+0000"),
    ],
)
def test_mistake_has_one_message(text: str, message: str) -> None:
    assert messages(text) == [message]


def test_refused_value_does_not_hide_later_problems() -> None:
    assert messages("exec: [a, {{ x }}]\nenv: {A: *y, A: 1}\nranges: {x: case:1,2}\nranges: 3") == [
        "`{{ x }}` is not a variable",
        "unknown alias `*y`",
        "duplicate key `A`, first given on line 2",
        "a comma ends an unquoted range expression in `{ }`",
        "duplicate key `ranges`, first given on line 3",
    ]


def test_value_with_a_problem_is_refused() -> None:
    document, _ = parsed("a: [b, *c]\nd: !x y\ne: 1")
    assert document is not None
    assert plain(document) == {"a": ["b", None], "d": None, "e": 1}
    items = document.get("a")
    assert isinstance(items, SequenceNode)
    assert isinstance(items.items[1], RefusedNode)
    assert isinstance(document.get("d"), RefusedNode)


def test_entry_with_an_invalid_key_is_left_out() -> None:
    document, problems = parsed("a: 1\na: 2\n1: x\n<<: {b: 2}\n? [c]\n: d\n")
    assert len(problems) == 4
    assert document is not None
    assert plain(document) == {"a": 1}


def test_at_most_20_invisible_characters_are_reported() -> None:
    assert len(messages("a: " + "\x01" * 1000)) == 20


def test_garbage_collector_state_is_restored() -> None:
    import gc

    gc.disable()
    try:
        good("a: b")
        assert not gc.isenabled()
    finally:
        gc.enable()
    good("a: b")
    assert gc.isenabled()


def refusal(call: Any, *arguments: Any) -> Problem:
    with pytest.raises(InvalidSweep) as caught:
        call(*arguments)
    (problem,) = caught.value.problems
    return problem


def test_read_removes_the_byte_order_mark_and_keeps_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(b"\xef\xbb\xbfexec: caf\xc3\xa9\r\n")
    source = read(path)
    assert source == Source(str(path), "exec: café\r\n")
    assert source.lines == ("exec: café", "")


def test_read_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"exec: a\n")))
    assert read("-") == Source("<stdin>", "exec: a\n")


def test_missing_file_suggests_sweep_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(read, "sweep.yaml") == Problem("no such file", None, "`runner init` writes a first sweep file")
    Path("compose.yaml").write_text("services: {}\n")
    Path("sweep.yml").write_text("name: x\nexec: [a]\n")
    assert refusal(read, "sweep.yaml") == Problem("no such file", None, "did you mean `sweep.yml`?")
    assert refusal(read, "other").hint == "did you mean `sweep.yml`?"
    Path("b.json").write_text('{"exec": ["a"]}')
    assert refusal(read, "other").hint == "sweep files here: `b.json`, `sweep.yml`"
    assert refusal(read, "sub/sweep.yaml").message == "no such file"


def test_directory_suggests_a_sweep_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    assert refusal(read, "sub") == Problem("a directory, not a sweep file", None, None)
    Path("sub/a.yaml").write_text("code: x")
    assert refusal(read, "sub") == Problem("a directory, not a sweep file", None, "name a file in it: `sub/a.yaml`")


def test_read_reports_errors_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(read, tmp_path / "file" / "x").message == "cannot be read: not a directory"
    assert refusal(read, tmp_path / ("x" * 300)).message == "cannot be read: file name too long"
    assert refusal(read, "a\0b").message == "a file name cannot contain a NUL character"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x7fELF\x02\x01\x00\x00", Problem("a binary file, not text", None)),
        (b"\x89PNG\r\n\x1a\n\x01\xff", Problem("a binary file, not text", None)),
        (
            "exec: a".encode("utf-16"),
            Problem("encoded as UTF-16, not UTF-8", None, "save the file as UTF-8"),
        ),
        (
            "exec: a\nname: né\n".encode("latin-1"),
            Problem("not UTF-8: byte 0xE9 at offset 15", Span(1, 7, 1, 8), "save the file as UTF-8"),
        ),
    ],
)
def test_bytes_that_are_not_text(data: bytes, problem: Problem) -> None:
    assert refusal(decode, "sweep.yaml", data) == problem


def test_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    with path.open("wb") as file:
        os.truncate(file.fileno(), reader.MAX_SIZE + 1)
    assert refusal(read, path).message == "larger than 64 MiB"


def check_any(text: str) -> None:
    source = Source("sweep.yaml", text)
    document, problems = parse(source)
    if document is not None:
        problems += schema.check(document)[1]
    assert document is not None or problems
    render(source, problems)
    for problem in problems:
        if problem.span is not None:
            assert problem.span.line < len(source.lines)
            assert problem.span.column <= len(source.lines[problem.span.line])


WORDS = "exec env x 1 é 😀 case:1,2 ${x} $ &a *a !!str ! | > # % <<: - ? : [ ] { } , ' \" \\ \\u ud83d @ ~ \ue000"
BREAKS = (" ", "\n", "\n  ", "\t", "\r", "\u2028", ": ", "- ", "---\n", "...\n", "? ")
PIECES = st.lists(st.sampled_from((*WORDS.split(), *BREAKS)), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(PIECES | st.text())
@example("\\ud83d")
@example('"\\UFFFFFFFF')
@example("%\n")
@example("!<")
@example("")
def test_any_text_is_read_without_a_crash(text: str) -> None:
    check_any(text)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.integers(0, 2000), st.integers(0, 10), PIECES)
def test_mutated_file_is_read_without_a_crash(text: str, start: int, length: int, piece: str) -> None:
    start %= len(text) + 1
    check_any(text[:start] + piece + text[start + length :])


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_without_a_crash(data: bytes) -> None:
    try:
        source = decode("sweep.yaml", data)
    except InvalidSweep as error:
        render(error.source, error.problems)
    else:
        check_any(source.text)


def test_json_escapes_of_a_character_beyond_u_ffff() -> None:
    data = {"a": "😀", "b": "\\ud83d\\ude00"}
    assert plain(good(json.dumps(data))) == data


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@given(
    st.dictionaries(TEXT, JSON, max_size=5),
    st.sampled_from([None, 2, "\t"]),
)
def test_json_is_read_as_the_same_data(data: dict[str, Any], indent: int | str | None) -> None:
    assert plain(good(json.dumps(data, indent=indent))) == data
