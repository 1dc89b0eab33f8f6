"""What the lexer calls quotable is quotable, and what a place admits is no syntax: real shells are the judges."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.template import shell_lexer
from runner.template.quoting import Place

SHELLS = [
    command
    for command in (["/bin/sh"], ["dash"], ["bash", "--posix"], ["bash"], ["busybox", "sh"])
    if shutil.which(command[0])
]
PREAMBLE = "IFS=\np() { printf '<%s>\\0' \"$@\"; }\n"
ENV = {"PATH": "/nonexistent", "HOME": "/home/x", "LC_ALL": "C.UTF-8", "B": "b"}

HOSTILE = [
    "; >pwned",
    "$(>pwned)",
    "`>pwned`",
    "'; >pwned; '",
    '"; >pwned; "',
    "a\n>pwned\n",
    "| >pwned",
    "*",
    "a b",
    "~",
    "#",
    "\\",
    "'",
    "é\x81\x7f\x01😀",
    "!",
    "{",
    "(",
    "<<E",
    "$B",
    "&1",
]
PLAIN = [
    "if",
    "then",
    "fi",
    "do",
    "done",
    "in",
    "esac",
    "A=1",
    "2",
    "0.1",
    "E",
    "EOF",
    "-",
    "-x",
    "a:",
    "x,y",
    "e",
    "r",
    "",
]


def run(command: Sequence[str], script: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """What a script prints, and the files it writes in an empty folder. Nothing is on its PATH."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [shutil.which(command[0]) or command[0], *command[1:], "-c", PREAMBLE + script]
        ended = subprocess.run(
            argv, cwd=folder, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
        )
        files = [(os.fsencode(path.name), path.read_bytes()) for path in Path(folder).iterdir()]
    return ended.stdout, sorted(files)


def written(parts: Sequence[str | None], places: Sequence[Place], values: Sequence[str]) -> str:
    filled = iter([place.write(value) for place, value in zip(places, values, strict=True)])
    return "".join(next(filled) if part is None else part for part in parts)


def parts_of(text: str) -> list[str | None]:
    parts: list[str | None] = []
    for at, literal in enumerate(text.split("§")):
        parts += [None, literal] if at else [literal]
    return parts


TOKENS = (  # noqa: SIM905
    "p |p|a| | |\n|'|\"|\\|\\\n|`|$(|)|(|$((|))|1|${|}|${B:-|$B|$|#|;|&&|{ |; }|if |; then |; fi|else |! |<<E\n|\nE\n|E"
    "|<<'E'\n|<<-E\n\t|>f|>|<|>&|2|=|A=|~|[a|]|a[|,|for i in |; do |; done|for |case | in |;; esac|-|:|alias a=b\n|[[ "
    "|export C|set a|time |while |until |@|%|+|function |3>|>>|<>|+="
).split("|")


@st.composite
def soups(draw: st.DrawFn) -> list[str | None]:
    parts: list[str | None] = list(draw(st.lists(st.sampled_from(TOKENS), max_size=12)))
    for _ in range(draw(st.integers(1, 3))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return parts


@st.composite
def commands(draw: st.DrawFn) -> list[str | None]:
    """Mostly well-formed: words that are glued of pieces, in commands, in what commands can stand in."""
    pieces = '§|§|a|1|\'q r\'|"d"|\\b|--k=|~|{|}|$B|\'§\'|"d§"|$(p §)|"$(p §)"|`p §`|${B:-§}'.split("|")  # noqa: SIM905
    word = st.lists(st.sampled_from(pieces), min_size=1, max_size=3)
    gap = st.sampled_from([" ", "  ", " \\\n", "\t"])
    parts: list[str | None] = []
    for _ in range(draw(st.integers(1, 3))):
        before, after = draw(
            st.sampled_from(
                [
                    ("", ""),
                    ("(", ")"),
                    ("{ ", "; }"),
                    ("if p c; then ", "; fi"),
                    ("for i in a b; do ", "; done"),
                    ("! ", ""),
                    ("A=", ""),
                    ("", " >f"),
                    ("", ">f"),
                    ("", " # it's"),
                    (">f ", ""),
                    ("while ", "; do break; done"),
                    ("p <<E\n$B '\nE\n", ""),
                    ("", ' <<E\n"x\nE\n'),
                    ("time -p ", ""),
                    ("p $(", ")"),
                    ('p "$(', ')"'),
                    ("case a in a) ", ";; esac"),
                    ("f() { ", "; }"),
                    ("[[ a == b ]]; ", ""),
                    ("p `", "`"),
                    ("p a |", ""),
                ]
            )
        )
        parts += [before, draw(st.sampled_from(["p ", "p ", "p ", "", "A=1 p "]))]
        for _ in range(draw(st.integers(1, 3))):
            parts += [*parts_of("".join(draw(word))), draw(gap)]
        parts += [after, draw(st.sampled_from(["; ", "\n", " && ", " || ", "\n\n# c\n"]))]
    return parts


@settings(max_examples=150, deadline=None)
@given(
    parts=st.one_of(soups(), commands()),
    data=st.data(),
    shell_at=st.integers(0, len(SHELLS) - 1),
)
def test_no_value_changes_what_a_shell_makes_of_the_rest(
    parts: list[str | None], data: st.DataObject, shell_at: int
) -> None:
    """A run with hostile values is the run with harmless markers, but for the values themselves."""
    assume(None in parts)
    text = "".join(part or "\0" for part in parts)
    assume("$$" not in text and "$\0$" not in text)  # a process id, different in each run
    assume(not re.search(r"\([ \n\\]*\)", text) or "f()" in text)  # `p` calling itself
    assume(not (re.search(r"(?<!\|)\|(?!\|)", text) and ">" in text))  # two at once writing into one file
    places = shell_lexer.places(parts)
    markers, values = [], []
    for at, place in enumerate(places):
        marker = f"Qz{at}q"
        if not place.admits(marker):
            assume(place.admits("7"))
            markers.append("7")
            values.append("7")
            continue
        assert place.quotable or not any(map(place.admits, HOSTILE))
        candidates = [*PLAIN, *(HOSTILE if place.quotable else ())]
        if ">" in text or "<" in text:  # no file has an empty name
            candidates.remove("")
        markers.append(marker)
        values.append(data.draw(st.sampled_from([value for value in candidates if place.admits(value)])))
    harmless = run(SHELLS[shell_at], written(parts, places, markers))
    hostile = run(SHELLS[shell_at], written(parts, places, values))

    def expected(text: bytes) -> bytes:
        for marker, value in zip(markers, values, strict=True):
            text = text.replace(marker.encode(), value.encode()) if marker != "7" else text
        return text

    printed, files = harmless
    if re.search("2>|&>|>&", text):  # messages, which name a value in some form of their own
        files, hostile = (
            [(name, b"") for name, _ in files],
            (hostile[0], [(name, b"") for name, _ in hostile[1]]),
        )
    assume(len({expected(name) for name, _ in files}) == len(files))
    assert hostile == (
        expected(printed),
        sorted((expected(name), expected(content)) for name, content in files),
    )


ANY = "any"
PLACES = [
    # A value goes in as one word.
    ("p §", [ANY]),
    ("p §§ --k=§ §/a a§ 'q'§\"r\"", [ANY] * 6),
    ("p §>f; p §<g; p 1§>h; p §>>f", [ANY] * 4),
    ("p a >§ b", [ANY]),
    ("p §; p §| p §|| p §&& p §&", [ANY] * 5),
    ("§ a; §=1 a; A§=1; A=§ p b; p \"$A\"", [ANY] * 4),
    ("if §; then p a; else p b; fi; ! §; { §; }; (§)", [ANY] * 4),
    ("while § a; do break; done; until p §; do p b; done", [ANY] * 2),
    ("while (p a) § b; do break; done", [ANY]),
    ("for i in § b §; do p \"$i\" §; done", [ANY] * 3),
    ("for i in a\ndo p §\ndone", [ANY]),
    ("p ~§ ~/§ ~a§ §~ A=~§ §~/x", [ANY] * 6),
    ("A=§~/x; p \"$A\"; export A=§; p \"$A\"", [ANY] * 2),
    ("p *§ §* [§] ?§ {a,§} {§} §{a,b}", [ANY] * 7),
    ("p #§\np §", ["in a comment", ANY]),
    ("p a#§ §#b '#'§", [ANY] * 3),
    ("p \\\n  §  \\\n  --k §", [ANY] * 2),
    ("{§}>f; p §{ §}", [ANY, *["after `{…}>`"] * 2]),
    ("time § p a; time -p § p a; p b", [ANY] * 2),
    ("p $B/§ ${B}§ $B§ $?§ $# §", [ANY] * 5),
    ("p $(p a) § `p b` § $((1+2)) § ${B:-x} §", [ANY] * 4),
    (". /dev/null; p §\np §", [ANY] * 2),
    ("eval \"alias q='p ' r='p a'\"; p §\nq §", [ANY] * 2),
    ("set -k; p § \"$A\"", [ANY]),
    ("p 'it''s' § \"it's\" §", [ANY] * 2),
    ("cat='x'; p a <<E\n'\nE\np §", [ANY]),
    ("p a <<-'E' 2>f\n\t\"$(\n\tE\np §", [ANY]),
    ("2>f p §; >f § p a", [ANY] * 2),
    # It stands between the writer's own quotes.
    ("p '§' 'a § b'", ["inside single quotes"] * 2),
    ("p \"§\" \"a'§'b\" \"${B}§\"", ["inside double quotes"] * 3),
    ("p \\§ \"\\§\" \\§b", ["after a backslash"] * 3),
    # It stands in the shell's own expansions.
    ("p $(p §) \"$(p § \"§\")\" $(p '§')", ["inside `$(…)`"] * 2 + ["inside double quotes", "inside single quotes"]),
    ("p $(if p §; then § x; fi; A=§ p §>f) \"$(p a>f §)\"", ["inside `$(…)`"] * 5),
    ("p `p § ; § x` \"`p § ; p 'a'`\"", ["inside backquotes"] * 3),
    ("p $((1+§)) $(( (2) * § ))", ["inside `$((…))`"] * 2),
    ("p ${B:-§} ${C:-§} ${B#§} ${#B} §", ["inside `${…}`"] * 3 + [ANY]),
    ("p ${§} ${B§} ${§:-a} §", ["in the name of a `${…}`"] * 3 + [ANY]),
    ("p $§ \"$§\"", ["right after a `$`"] * 2),
    ("p \"$B§\" §", ["right after `$B`", ANY]),
    # It stands in a here-document.
    ("while read -r l; do p \"$l\"; done <<E\nl=§ §\n§\n§E\nE\np §", ["in a here-document"] * 4 + [ANY]),
    ("while read -r l; do p \"$l\"; done <<-'EOF'\n\t§\n\tx§\n\tEOF\np §", ["in a here-document"] * 2 + [ANY]),
    ("read -r l <<E\n$B§ \\§\nE\np \"$l\" §", ["in a here-document"] * 2 + [ANY]),
    ("p a <<'abc\nx §", ["after a here-document whose end word is not understood"]),
    ("p a <<§\nx\n§\np b", ["after a here-document whose end word is not understood"] * 2),
    ("p a <<E; p $(p b\nE\n) §\n", ["after a here-document announced in the middle of a command"]),
    ("p a <<E\n`p b`\n§\nE\np §", ["in a here-document"] * 2),
    # Nobody knows.
    ("p `p \\`p a\\` §` §", ["inside backquotes"] * 2),
    ("case a in §) p b;; esac; p § \"§\"", ["after `case`"] * 3),
    ("f() { p §; }; f; p §", ["after a `(`"] * 2),
    ("p (§)", ["after a `(`"]),
    ("[[ a == § ]] && p §", ["after `[[`"] * 2),
    ("alias q='p '\nq §", ["after `alias`"]),
    ("p $'a' §", ["after `$'`"]),
    ("p $\"a\" §", ["after `$\"`"]),
    ("p a) §", ["after a `)`"]),
    ("((1 < §)); p §", ["after a `(`"] * 2),
    ("p <(p §)", ["after `<(`"]),
    ("p <<<§", ["after `<<<`"]),
    ("p 'a §", ["inside single quotes"]),
    ("p \"a $(p §", ["inside `$(…)`"]),
    ("p $B\\\n§", ["after a line that is continued in the middle of a word"]),
    ("p >&§; p 1>&§", ["after `>&`"] * 2),
    ("a[§]=1; p a[§", ["inside `[…]`"] * 2),
    ("for § in a; do p b; done", ["in the head of a `for` loop"]),
    ("for i § a; do p b; done; p §", ["in the head of a `for` loop", "after a `for` that is not understood"]),
    ("p " + "$(p " * 30 + "§", ["nested that deep"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), PLACES, ids=[repr(text) for text, _ in PLACES])
def test_where_a_variable_stands(text: str, wanted: list[str]) -> None:
    found = shell_lexer.places(parts_of(text))
    assert [ANY if place.quotable else place.where for place in found] == wanted
    assert all(place.quotable == (place.where is None) for place in found)


@pytest.mark.parametrize("command", [["/bin/sh"], ["bash", "--posix"], ["bash"]], ids=" ".join)
@pytest.mark.parametrize("text", [text for text, _ in PLACES], ids=repr)
def test_every_value_that_a_place_admits_leaves_the_rest_alone(text: str, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip("no such shell here")
    parts = parts_of(text)
    places = shell_lexer.places(parts)
    markers = ["Qz" if place.admits("Qz") else "7" for place in places]
    printed, files = run(command, written(parts, places, markers))
    for value in [*PLAIN, *HOSTILE[:2], "*"]:
        if not value and re.search("[<>]", text):
            continue
        values = [
            value if marker == "Qz" and place.admits(value) else marker
            for marker, place in zip(markers, places, strict=True)
        ]
        if "Qz" in values or "7" in values:
            continue  # some place of this text cannot have this value, or takes numbers only
        wanted = sorted(
            (name.replace(b"Qz", value.encode()), content.replace(b"Qz", value.encode())) for name, content in files
        )
        assert run(command, written(parts, places, values)) == (
            printed.replace(b"Qz", value.encode()),
            wanted,
        ), value


@pytest.mark.parametrize(
    ("text", "admitted", "refused"),
    [
        ("p <<E\n§\nE", ["0.1", "x"], ["E", ""]),
        ("p <<EOF\nE§F\nEOF", ["0.1"], ["O"]),
        ("p <<-E\n\t§\nE", ["0.1"], ["E"]),
        ("p <<E\nlr=§\nE", ["0.1", "E", ""], []),
        ("p <<E\n$(p a)\n§\nE", ["0.1"], ["E", ""]),
        ('p "$B§"', [], ["X", "1"]),
        ('p "§"', ["0.1", "", "A=1", "if"], []),
        ("p \\§", ["0.1", "if"], [""]),
        ('p "\\§"', ["0.1"], [""]),
        ("p \\§~", [], ["a:"]),
        ("case a in §) ;; esac", ["0.1", "model"], ["esac", "e", "A=1", ""]),
        ("case a in a) ;; esac; p §>f", [], ["2", "a"]),
        ("case a in a) ;; esac; p ~§", [], ["root"]),
        ("case a in a) ;; esac; §=1", [], ["A"]),
        ("case a in a) ;; esac; p $B\\\n§", [], ["A"]),
        ("[[ § ]]", ["1.5"], ["-f", "1+1", "A=1"]),
        ("p $((§))", ["12"], ["-1", "a", "1.5", "1+1", ""]),
        ("p ${B:§}", ["a", "0.1"], ["-x", "=x", ""]),
        ("p ${B:-§}", ["a", "-x", "=x", "", "/a/b"], []),
        ("p $(§ a)", ["0.1", "if", "A=1", ""], []),
        ("p >&§", ["2"], ["-", "f", ""]),
        ("alias a=b; p §", [], ["0.1", "a"]),
    ],
)
def test_which_values_a_place_admits(text: str, admitted: list[str], refused: list[str]) -> None:
    place = shell_lexer.places(parts_of(text))[0]
    assert [value for value in admitted if not place.admits(value)] == []
    assert [value for value in [*refused, *HOSTILE] if place.admits(value)] == []


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        ("python train.py --lr § --opt=§", "0.1", "python train.py --lr 0.1 --opt=0.1"),
        ("p §", "a b", "p 'a b'"),
        ("p §", "", "p ''"),
        ("p §", "it's", "p 'it'\\''s'"),
        ("p -§", "é", "p -'é'"),
        ("§ a", "0.1", "'0.1' a"),
        ("A=§ p", "0.1", "A=0.1 p"),
        ("p §>f >§", "2", "p '2'>f >2"),
        ("p $B§", "2", "p $B'2'"),
        ("p ~§", "root", "p ~'root'"),
        ('p "§"', "0.1", 'p "0.1"'),
    ],
)
def test_how_a_value_is_written(text: str, value: str, wanted: str) -> None:
    parts = parts_of(text)
    places = shell_lexer.places(parts)
    assert written(parts, places, [value] * len(places)) == wanted


ANYTHING = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    st.text(st.sampled_from("'\"\\$`;&|<>(){}[]*?~#!=% \t\n\rab01-\x01\x7f\x81é"), max_size=12),
    st.sampled_from([*HOSTILE, *PLAIN, "; rm -rf /", "$(id)", "-rf"]),
)
WORDS = [
    ("§", "{}"),
    ("--lr=§", "--lr={}"),
    ("a§b", "a{}b"),
    ("§'q'§", "{0}q{0}"),
    ("~§", "~{}"),
    ("\\\n §", "{}"),
]


@pytest.mark.parametrize("command", [["/bin/sh"], ["bash", "--posix"]], ids=" ".join)
@settings(max_examples=25, deadline=None)
@given(values=st.lists(ANYTHING, min_size=1, max_size=20))
def test_a_program_receives_exactly_the_value(command: list[str], values: list[str]) -> None:
    receives(command, values, WORDS)


@pytest.mark.parametrize("command", [["/bin/sh"], ["bash", "--posix"]], ids=" ".join)
@pytest.mark.parametrize("value", ["a" * 100_000, "é '" * 10_000], ids=["plain", "to be quoted"])
def test_a_value_of_100_kb_arrives(command: list[str], value: str) -> None:
    receives(command, [value], WORDS[:1])


def receives(command: list[str], values: list[str], words: list[tuple[str, str]]) -> None:
    """Every value, in every one of the words, reaches a command of the shell as it is, and nothing else happens."""
    if shutil.which(command[0]) is None:
        pytest.skip("no such shell here")
    parts = parts_of("p " + " ".join(word for word, _ in words))
    places = shell_lexer.places(parts)
    assert all(place.quotable for place in places)
    script = "\n".join(written(parts, places, [value] * len(places)) for value in values)
    printed, files = run(command, script)
    assert printed.decode().split("\0")[:-1] == [f"<{word.format(value)}>" for value in values for _, word in words]
    assert files == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.none(), st.sampled_from(TOKENS), st.text(max_size=8)), max_size=40))
def test_every_text_has_a_place_for_every_variable(parts: list[str | None]) -> None:
    assert len(shell_lexer.places(parts)) == parts.count(None)
