"""Shell strings: real shells expand the variables, and no value becomes syntax."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from runner.model import Value
from runner.template.shell import ShellScript, expansions, is_evaluated, is_split, process_ids, regions

SHELLS = [
    command
    for command in (["/bin/sh"], ["dash"], ["bash", "--posix"], ["bash"], ["busybox", "sh"])
    if shutil.which(command[0])
]
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/home/x", "LC_ALL": "C.UTF-8"}

HOSTILE = [
    "; >pwned",
    "$(>pwned)",
    "`>pwned`",
    "'; >pwned; '",
    '"; >pwned; "',
    "'\"'\"'",
    "a\n>pwned\n",
    "| >pwned",
    "&& >pwned",
    ">pwned",
    "EOF\n>pwned\n",
    ") >pwned ;; esac; >pwned",
    "}; >pwned; {",
    "))>pwned",
    "*",
    "?",
    "[a]",
    "a b",
    "-rf",
    "--",
    "~",
    "#",
    "\\",
    "\\'",
    "$HOME",
    "${HOME}",
    "$v",
    "é\x7f\x01😀",
    "!",
    "if",
    "A=1",
    "",
]
VALUES = st.sampled_from(HOSTILE) | st.text(
    st.sampled_from("'\"\\$`;&|<>(){}[]*?~#!=% \t\n\rab01-\x01\x7fé>pwned"), max_size=14
)

CONTEXTS = {
    "double quotes": ('printf %s "$v"', lambda v: v),
    "braces": ('printf %s "${v}"', lambda v: v),
    "single quotes": ("printf %s '$v'", lambda v: "$v"),
    "escaped dollar": ('printf %s "\\$v"', lambda v: "$v"),
    "substitution": ('printf %s "$(printf %s "$v"; echo .)"', lambda v: v + "."),
    "backquotes": ('x=`printf %s. "$v"`; printf %s "$x"', lambda v: v + "."),
    "here-document": ("cat <<EOF\n$v\nEOF\n", lambda v: v + "\n"),
    "here-document, quoted": ("cat <<'EOF'\n$v\nEOF\n", lambda v: "$v\n"),
    "case word": ('case $v in "$v") printf same;; *) printf other;; esac', lambda v: "same"),
    "case pattern": ('case x in $v) printf x;; *) printf "%s" "$v";; esac', None),
    "assignment": ('x=$v; printf %s "$x"', lambda v: v),
    "default": ('printf %s "${v:-none}"', lambda v: v or "none"),
    "test": ('[ "$v" = "$v" ] && printf yes', lambda v: "yes"),
    "loop": ('for x in "$v"; do printf %s "$x"; done', lambda v: v),
    "function": ('f() { printf %s "$1"; }; f "$v"', lambda v: v),
    "pipe": ('printf %s "$v" | cat', lambda v: v),
    "unquoted": ("printf '%s' $v >/dev/null", None),
    "unquoted in substitution": ("x=$(printf '%s' $v)", None),
    "redirection": ('printf %s "$v" >"$TMP/out"; cat "$TMP/out"', lambda v: v),
}


def run(shell: Sequence[str], script: str, folder: Path) -> bytes:
    argv = [shutil.which(shell[0]) or shell[0], *shell[1:], "-c", script]
    done = subprocess.run(
        argv,
        cwd=folder,
        env={**ENV, "TMP": str(folder.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return done.stdout


def rendered(text: str, value: str) -> str:
    return ShellScript.of(text, ["v"]).render({"v": Value(value, value)})


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("context", CONTEXTS)
@settings(max_examples=8, deadline=None)
@given(VALUES)
def test_no_value_is_executed(shell: list[str], context: str, value: str) -> None:
    text, expected = CONTEXTS[context]
    assume(not (context == "unquoted" and value.startswith("-")))
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "cwd")
        folder.mkdir()
        printed = run(shell, rendered(text, value), folder)
        assert list(folder.iterdir()) == []
    if expected is not None:
        assert printed == expected(value).encode()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_hostile_value_in_every_context(shell: list[str]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "cwd")
        folder.mkdir()
        for text, expected in CONTEXTS.values():
            for value in HOSTILE:
                printed = run(shell, rendered(text, value), folder)
                assert expected is None or printed == expected(value).encode(), (text, value)
        assert list(folder.iterdir()) == []


ARITHMETIC = ["echo $((v + 1))", "echo $(($v))", "[[ $v -eq 1 ]]", "let x=v", "(( v > 1 ))", "w=$v; echo $((w))"]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ARITHMETIC), st.text(st.sampled_from("a[]$(){}`>pwned1+ v\"'\\"), max_size=16))
@example(ARITHMETIC[0], "a[$(>pwned)]")
@example(ARITHMETIC[1], "a[`>pwned`]")
@example(ARITHMETIC[2], "a[$(>pwned)]")
@example(ARITHMETIC[5], "a[$(>pwned)]")
def test_arithmetic_executes_nothing_that_is_admitted(shell: list[str], text: str, value: str) -> None:
    assert ShellScript.of(text, ["v"]).evaluates
    if is_evaluated(value):
        return
    with tempfile.TemporaryDirectory() as folder:
        run(shell, rendered(text, value), Path(folder))
        assert "pwned" not in [path.name for path in Path(folder).iterdir()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_would_execute_what_is_refused(tmp_path: Path) -> None:
    """The reason for `is_evaluated`: a subscript with a command substitution runs in arithmetic."""
    value = "a[$(>pwned)]"
    assert is_evaluated(value)
    run(["bash"], rendered("echo $((v))", value), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pwned"]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("value", ["é" * 50_000, "'" * 25_000, "x" * 100_000], ids=["non-ASCII", "quotes", "plain"])
def test_a_value_of_100_kb(shell: list[str], value: str, tmp_path: Path) -> None:
    assert run(shell, rendered('printf %s "$v"', value), tmp_path) == value.encode()


def test_assignments_are_not_exported(tmp_path: Path) -> None:
    assert run(["/bin/sh"], rendered("echo $v; sh -c 'echo $v'", "1"), tmp_path) == b"1\n\n"


def test_a_fault_keeps_its_line_number(tmp_path: Path) -> None:
    script = rendered("echo $v\necho )", "1")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert "2" in done.stderr


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("echo $v", ["v"]),
        ("echo ${v} ${w:-$v} ${#w}", ["v", "w"]),
        ("echo $((v * (w + 1)))", ["v", "w"]),
        ("echo $$v", []),
        ("echo \\$v '$w'", ["w"]),
        ("echo $(date) $1 $? $HOME", []),
        ("python --v 3 --w=$W", []),
        ("echo $vw $v_", []),
        ("echo $v # $w", ["v", "w"]),
    ],
)
def test_names_of_a_script(text: str, names: list[str]) -> None:
    assert list(ShellScript.of(text, ["v", "w"]).names) == names


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a $v-${w}b", ["a ", {"var": "v"}, "-", {"var": "w"}, "b"]),
        ('"$v" $HOME ${v:-1}', ['"', {"var": "v"}, '" $HOME ${v:-1}']),
        ("echo '$v'", ["echo '$v'"]),
        ('echo "it\'s $v"', ["echo \"it's ", {"var": "v"}, '"']),
        ("# it's\necho $v", ["# it's\necho ", {"var": "v"}]),
        ("", []),
    ],
)
def test_identity_of_a_script(text: str, canonical: list[object]) -> None:
    assert ShellScript.of(text, ["v", "w"]).canonical() == canonical


@pytest.mark.parametrize(
    ("text", "unquoted"),
    [
        ("echo $v", 1),
        ('echo "$v" "a $v b"', 0),
        ("echo '$v'", 0),
        ("x=$v; y=a$v", 0),
        ("A=1 p $v", 1),
        ("case $v in a) ;; esac", 0),
        ("cat <<EOF\n$v\nEOF\necho $v", 1),
        ("echo $(p $v) \"$(p '$v')\"", 1),
        ("[[ $v == a ]]", 0),
        ("# $v", 0),
    ],
)
def test_unquoted_uses(text: str, unquoted: int) -> None:
    assert len(list(ShellScript.of(text, ["v"]).unquoted())) == unquoted


@pytest.mark.parametrize(
    ("text", "undefined"),
    [
        ("echo $foo ${bar}", ["foo", "bar"]),
        ("foo=1; echo $foo", []),
        ("for i in 1 2; do echo $i; done", []),
        ("read a b; echo $a $b", []),
        ("echo ${foo:-1} ${foo-1} ${foo:?no} ${foo+x}", []),
        ("awk '{print $NF}'", []),
        ("echo \\$foo", []),
        ("cat <<'EOF'\n$foo\nEOF\n", []),
        ("cat <<EOF\n$foo\nEOF\n", ["foo"]),
        ("echo $1 $@ $? $$", []),
        ("# $foo", []),
        ("echo ${#foo} ${foo%.x}", ["foo", "foo"]),
        ("echo $known $v", []),
        ("local x=$foo", ["foo"]),
    ],
)
def test_undefined_names(text: str, undefined: list[str]) -> None:
    assert [found.name for found in ShellScript.of(text, ["v"]).undefined(["known"])] == undefined


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("echo $$", []),
        ("/tmp/x.$$", []),
        ("echo $$HOME", ["HOME"]),
        ("x=$$(date)", ["("]),
        ("$${v}", ["v"]),
        ("\\$$v", []),
        ("${$}v", []),
    ],
)
def test_a_process_id_followed_by_a_name(text: str, found: list[str]) -> None:
    assert [name for _, _, name in process_ids(text)] == found


@pytest.mark.parametrize(
    ("value", "split"), [("a", False), ("a b", True), ("a\nb", True), ("*", True), ("", True), ("a;b", False)]
)
def test_values_that_the_shell_splits(value: str, split: bool) -> None:
    assert is_split(value) == split


TEXTS = st.lists(
    st.sampled_from(
        ["$", "$$", "{", "}", "v", "w", "$v", "${w}", "'", '"', " ", "\\", "é", "\n", "#", "((", "<<E", "E"]
    ),
    max_size=14,
)


@settings(deadline=None)
@given(TEXTS.map("".join), VALUES, VALUES)
def test_any_text_is_a_script(text: str, v: str, w: str) -> None:
    script = ShellScript.of(text, ["v", "w"])
    assert script.render({"v": Value(v, v), "w": Value(w, w)}).endswith(text)
    assert json.loads(json.dumps(script.canonical())) == script.canonical()
    for found in expansions(text):
        assert text[found.start] == "$"
        assert regions(text)(found.start) in ("none", "single", "double", "here-document", "comment")
    lengths = {"v": len(v.encode()), "w": len(w.encode())}
    assert len(script.render({"v": Value(v, v), "w": Value(w, w)}).encode()) <= script.longest(lengths)
