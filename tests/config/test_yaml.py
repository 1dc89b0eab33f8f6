"""From bytes and text to nodes with places; whatever comes in, nothing but problems and InvalidSweep comes out."""

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
from runner.config.yaml import MappingNode, ScalarNode, SequenceNode, at, parse, place, plain, read, reader
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


def both(text: str) -> tuple[MappingNode | None, list[Problem]]:
    """What libyaml makes of the text, after PyYAML's own parser has made the same of it."""
    source = Source("sweep.yaml", text)
    found = parse(source)
    assert parse(source, pure=True) == found
    return found


def good(text: str) -> MappingNode:
    document, problems = both(text)
    assert problems == []
    assert document is not None
    return document


def messages(text: str) -> list[str]:
    return [problem.message for problem in both(text)[1]]


@pytest.mark.parametrize("path", sorted((TESTS / "good").iterdir()), ids=lambda path: path.name)
def test_good(path: Path) -> None:
    source = read(path)
    document, problems = parse(source)
    assert document is not None
    assert render(source, [*problems, *schema.check(document)]) == ""
    assert parse(source, pure=True) == (document, [])


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
        ('"\\ud83d\\ude00\\u00e9\\/"', "😀é/"),
        ('"\\U0000d83d\\U0000de00"', "😀"),
        ("'\\ud83d'", "\\ud83d"),
        ("\ue000 ${x}", "\ue000 ${x}"),
    ],
)
def test_scalars_are_read_by_the_core_schema(text: str, data: Any) -> None:
    assert plain(good(f"a: {text}")) == {"a": data}
    assert type(plain(good(f"a: {text}"))["a"]) is type(data)


def test_text_stays_as_written() -> None:
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
def test_nodes_know_their_place(text: str, span: Span) -> None:
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
def test_place_finds_a_part_of_a_scalar(text: str, expected: tuple[int, int, int]) -> None:
    node = good(text).get("a")
    assert isinstance(node, ScalarNode)
    start = node.value.text.rindex("$y")
    line, column, end = expected
    assert place(Source("", text), node, start, start + 2) == Span(line, column, line, end)


def test_place_is_the_whole_scalar_where_an_escape_hides_the_part() -> None:
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
def test_deep_nesting_is_a_problem(text: str) -> None:
    document, problems = parse(Source("", text))
    assert document is None
    assert len(problems) == 1


def test_as_deep_as_allowed() -> None:
    assert good("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    assert messages("a: " + "[" * (DEEPEST + 1)) == [f"nested deeper than {DEEPEST} levels"]


def test_aliases_cannot_nest_deeper_either() -> None:
    text = "".join(f"a{n}: &a{n} {'[' * 60}{f'*a{n - 1}' if n else ''}{']' * 60}\n" for n in range(20))
    assert messages(text) == [f"nested deeper than {DEEPEST} levels"]


def test_many_aliases_of_a_small_thing_are_fine() -> None:
    assert good("a: &x [1, 2]\nb: [" + "*x, " * 5000 + "]")


def test_problems_before_a_syntax_error_are_reported_too() -> None:
    assert messages("a: 1\na: 2\nb:\n  1: x\n  c: *d\ne: [") == [
        "duplicate key `a`, first given on line 1",
        "a key must be a string, not a number: `1`",
        "unknown alias `*d`",
        "`[` is never closed",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {X: case:1,2,3, Y: 4}", "unquoted range expression in `{ }`: a comma ends the value there"),
        ("a: {X: range:[1,2]}", "unquoted range expression in `{ }`: a comma ends the value there"),
        ("a: {X: case:,b}", "unquoted range expression in `{ }`: a comma ends the value there"),
        ("a: [range:1,5]", "unquoted range expression in `[ ]`: a comma ends the value there"),
        ("a: [${x}]", "unquoted `${x}` in `[ ]`"),
        ("a: {b: -${x}}", "unquoted `${x}` in `{ }`"),
        ("a: [${x]", "unquoted `${x}` in `[ ]`"),
        ("a: [\ue000, ${x}]", "unquoted `${x}` in `[ ]`"),
        ("a: {b:1}", "no space after the `:` in `b:1`"),
        ("a: [b", "`[` is never closed"),
        ("a: [b}", "`[` is closed by `}`"),
        ("a: {b: [}", "`[` is closed by `}`"),
        ("a: {b: [", "`[` is never closed"),
        ("a: {", "`{` is never closed"),
        ("a: b]\nc: [d]]", "`]` closes nothing"),
        ("a: ['b' 'c']", "no `,` or `]` before this"),
        ("a: {b: c: d}", "a second `:` in an entry of `{ }`"),
        ("a: [b, , c]", "nothing before this `,`"),
        ("a:\n\tb: 1", "a tab in the indentation"),
        ("a: |\n\tb", "a tab in the indentation"),
        ("- \ta: 1\n-\tb", "a tab where only spaces may stand"),
        ("a: @b", "a plain value cannot begin with `@`"),
        ("a: *.csv", "`*.csv` is read as an alias"),
        ("a: &", "`&` is read as an anchor"),
        ("a: {b: !x}", "`!x` is read as a tag"),
        ("a: !x!y z", "`!x!y` is read as a tag"),
        ("a: 'b", "the quote `'` is never closed"),
        ('a: "\\q"', "unknown escape `\\q`"),
        ('a: "\\xZ"', "`\\x` must be followed by 2 hexadecimal digits"),
        ('a: "\\UFFFFFFFF"', "`\\UFFFFFFFF` is no character"),
        ('a: "\\ude00\\ud83d"', "half of a surrogate pair"),
        ("a: b: c", "a `:` inside an unquoted value"),
        ("a: b\n  c: d", "`c` is indented deeper than the entry above"),
        ("a: - b", "a list cannot begin on the line of its key"),
        ("a: ? b", "a plain value cannot begin with `? `"),
        ("a:\n  b: c\n d: e", "the indentation of this line fits no line above"),
        ("a:\n  - b\n  c: d", "not part of the list above"),
        ("a: 'it's'", "text after the closing quote"),
        ('a: "b" c', "text after the closing quote"),
        ("a: b\n...\nc", "text after the end of the document"),
        ("a: b\nc\nd: e", "an entry without `: `"),
        ("a: | b", "text behind the `|`"),
        ("%% x", "unknown directive `%%`"),
        ("%YAML 3.0\n---\na: b", "unknown directive `%YAML`"),
        ("a: [b, - c]", "a plain value cannot begin with `-`"),
        ("a: {: b}", "no key before the `:`"),
        ("?\n: b", "no key before the `:`"),
        ("a: {" + "b" * 1025 + ": c}", "a key of more than 1024 characters"),
        ("a: !!int b", "`b` is no `!!int`"),
        ("a: !!binary b", "unknown tag `!!binary`"),
        ("a: !<x:y> b", "unknown tag `!<x:y>`"),
        ("a: !!set {}", "unknown tag `!!set`"),
        ("a: &x {b: *x}", "the alias `*x` stands inside of what it stands for"),
        ("a:b", "a sweep file must be a mapping, not a string"),
        ("3", "a sweep file must be a mapping, not a number"),
        ("true", "a sweep file must be a mapping, not true or false"),
        ("~", "a sweep file must be a mapping, not null"),
        ("---", "the file is empty"),
        ("...", "nothing where a value should be"),
        ("a: b\u2028c", "invisible character U+2028"),
        ("a: \ud800", "invisible character U+D800"),
        ("a: \x00", "invisible character U+0000"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    assert messages(text) == [message]


def test_a_trap_does_not_hide_what_comes_after_it() -> None:
    assert messages("exec: [a, ${x}]\nenv: {A: ${y}, A: 1}\nranges: {x: case:1,2, x: 3}") == [
        "unquoted `${x}` in `[ ]`",
        "unquoted `${y}` in `{ }`",
        "duplicate key `A`, first given on line 2",
        "unquoted range expression in `{ }`: a comma ends the value there",
        "duplicate key `x`, first given on line 3",
    ]


def test_a_mended_value_is_what_was_meant() -> None:
    document, problems = both("exec: [a, ${x}]\nranges: {x: case:1,2, y: [range:1,3, b]}")
    assert len(problems) == 3
    assert document is not None
    assert plain(document) == {"exec": ["a", "${x}"], "ranges": {"x": "case:1,2", "y": ["range:1,3", "b"]}}


def test_a_list_with_spaces_between_is_no_torn_range() -> None:
    assert plain(good("a: [case:1, 2]")) == {"a": ["case:1", 2]}
    assert plain(good("a: {X: case:1, Y: }")) == {"a": {"X": "case:1", "Y": None}}


def test_an_entry_with_a_problem_of_its_own_is_left_out() -> None:
    document, problems = both("a: 1\na: 2\n1: x\n<<: {b: 2}\n? [c]\n: d\n")
    assert len(problems) == 4
    assert document is not None
    assert plain(document) == {"a": 1}


@pytest.mark.parametrize("text", ["a: *b", "a: &b [*b]"])
def test_there_is_no_document_round_an_alias_of_nothing(text: str) -> None:
    assert both(text)[0] is None


def test_unreadable_characters_are_reported_in_bounds() -> None:
    assert len(messages("a: " + "\x01" * 1000)) == 20


def test_garbage_collection_is_left_as_it_was() -> None:
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


def test_read_takes_utf8_with_or_without_a_mark_and_keeps_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(b"\xef\xbb\xbfexec: caf\xc3\xa9\r\n")
    source = read(path)
    assert source == Source(str(path), "exec: café\r\n")
    assert source.lines == ("exec: café", "")


def test_read_takes_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"exec: a\n")))
    assert read("-") == Source("<stdin>", "exec: a\n")


def test_a_missing_file_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(read, "sweep.yaml") == Problem("no such file", None, "`runner init` writes a first sweep file")
    Path("sweep.yml").touch()
    assert refusal(read, "sweep.yaml") == Problem("no such file", None, "did you mean `sweep.yml`?")
    assert refusal(read, "sub/sweep.yaml").message == "no such file"


def test_a_directory_names_a_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    assert refusal(read, "sub") == Problem("a directory, not a sweep file", None, None)
    Path("sub/a.yaml").touch()
    assert refusal(read, "sub") == Problem("a directory, not a sweep file", None, "name a file in it: `sub/a.yaml`")


def test_what_the_system_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(read, tmp_path / "file" / "x").message == "cannot be read: not a directory"
    assert refusal(read, tmp_path / ("x" * 300)).message == "cannot be read: file name too long"
    assert refusal(read, "a\0b").message == "a file name cannot hold a NUL character"


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
def test_what_is_no_text(data: bytes, problem: Problem) -> None:
    assert refusal(decode, "sweep.yaml", data) == problem


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    with path.open("wb") as file:
        os.truncate(file.fileno(), reader.LARGEST + 1)
    assert refusal(read, path).message == "larger than 64 MiB"


def survives(text: str) -> None:
    source = Source("sweep.yaml", text)
    for pure in (False, True):
        document, problems = parse(source, pure=pure)
        if document is not None:
            problems += schema.check(document)
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
def test_any_text_survives(text: str) -> None:
    survives(text)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.integers(0, 2000), st.integers(0, 10), PIECES)
def test_mutated_files_survive(text: str, start: int, length: int, piece: str) -> None:
    start %= len(text) + 1
    survives(text[:start] + piece + text[start + length :])


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_survive(data: bytes) -> None:
    try:
        source = decode("sweep.yaml", data)
    except InvalidSweep as error:
        render(error.source, error.problems)
    else:
        survives(source.text)


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
def test_json_is_read_as_json(data: dict[str, Any], indent: int | str | None) -> None:
    assert plain(good(json.dumps(data, indent=indent))) == data
