"""Which commands of a shell string run one after the other, and which are joined by a pipe."""

from __future__ import annotations

import pytest

from runner.template.statements import statements


def shown(text: str) -> list[list[list[str]]]:
    """Return the first words of the commands: statements of pipelines."""
    return [
        [
            [(text[command.start : command.end].split() or [""])[0] for command in pipeline]
            for pipeline in statement.pipelines
        ]
        for statement in statements(text)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", [[["a"]]]),
        ("a | b |& c", [[["a", "b", "c"]]]),
        ("a; b\nc & d", [[["a"]], [["b"]], [["c"]], [["d"]]]),
        ("a && b || c", [[["a"], ["b"], ["c"]]]),
        ("a &&\n\n  b |\n c\nd", [[["a"], ["b", "c"]], [["d"]]]),
        ("a x \\\n  | b", [[["a", "b"]]]),
        ("a 'x | y; z' \"u | $(v | w)\" \\| t", [[["a"]]]),
        ("a $(b | c; d) `e | f` <(g | h) $((1|2)) | i", [[["a", "i"]]]),
        ("a 2>&1 >&2 &>log >|x | b", [[["a", "b"]]]),
        ("a # b | c; d\ne", [[["a"]], [["e"]]]),
        ("cat <<EOF | a\nb | c; d\nEOF\ne", [[["cat", "a"]], [["e"]]]),
        ("cat <<-'END'\n\tb | c\n\tEND\ne", [[["cat"]], [["e"]]]),
        ("for x in 1 2; do\n  a | b\ndone\nc", [[["a", "b"]], [["c"]]]),
        ("if a; then b; else c; fi; d", [[["a"]], [["b"]], [["c"]], [["d"]]]),
        ("X=1 Y='a b' a; Z=$(b)", [[["a"]], [[""]]]),
        ("(a; b) | c", [[["a"]], [["b", "c"]]]),
        ("{ a; b; }", [[["a"]], [["b"]]]),
        ("time nohup a | b", [[["a", "b"]]]),
        ("f() { a; b; }; f", []),
        ("case $x in a|b) c;; esac", []),
        ("", []),
        ("# nothing", []),
        ("a $(b", [[["a"]]]),
        ("a 'b", [[["a"]]]),
    ],
)
def test_statements(text: str, found: list[list[list[str]]]) -> None:
    assert shown(text) == found


def test_conditions_alternatives_and_background_are_marked() -> None:
    found = statements("if a; then b; fi; ! c; d || e; f & while g; do h; done")
    assert [one.conditional for one in found] == [True, False, True, False, False, True, False]
    assert [one.has_alternative for one in found] == [False, False, False, True, False, False, False]
    assert [one.background for one in found] == [False, False, False, False, True, False, False]


def test_long_text_takes_linear_time() -> None:
    """A quadratic scan of this text takes minutes."""
    assert statements("$(" * 60_000 + "`" * 60_001) != [None]
