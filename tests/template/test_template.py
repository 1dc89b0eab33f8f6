"""Templates: what is a variable, what it renders to, and what is wrong with it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model import Value
from runner.template.template import Template, TemplateFault, in_dash_c, parse

HINT = "a variable is `$name` or `${name}`; for the text `${` write `$${`"
NO_SHELL = (
    "no shell expands this: write `exec` as a string, or read the variable in the program; `$$NAME` is the text `$NAME`"
)
PARAMS = {"x": Value("1", 1), "y": Value("a b", "a b"), "repeat": Value("0", 0)}


def sound(text: str) -> Template:
    template, faults = parse(text)
    assert faults == []
    return template


@pytest.mark.parametrize(
    ("text", "rendered", "names"),
    [
        ("", "", ()),
        ("plain", "plain", ()),
        ("$x", "1", ("x",)),
        ("${x}", "1", ("x",)),
        ("$x$y-${x}y", "1a b-1y", ("x", "y")),
        ("$x.$y/$repeat", "1.a b/0", ("x", "y", "repeat")),
        ("$$x $${x} $$$x", "$x ${x} $1", ("x",)),
        ("$(date) $1 $? $ $- $", "$(date) $1 $? $ $- $", ()),
        ("$é 100$", "$é 100$", ()),
        ("a\n$x\n", "a\n1\n", ("x",)),
        ("\0$x", "\x001", ("x",)),
    ],
)
def test_rendering(text: str, rendered: str, names: tuple[str, ...]) -> None:
    template = sound(text)
    assert (template.render(PARAMS), template.names) == (rendered, names)


@pytest.mark.parametrize(
    ("text", "start", "end", "message"),
    [
        ("a ${", 2, 4, "`${` is not a variable"),
        ("${}", 0, 3, "`${}` is not a variable"),
        ("é${a-b}$x", 1, 7, "`${a-b}` is not a variable"),
        ("${HOME:-/tmp}", 0, 13, "`${HOME:-/tmp}` is not a variable"),
        ("${x y", 0, 5, "`${x y` is not a variable"),
        ("${x\n}", 0, 3, "`${x` is not a variable"),
        ("${" + "y " * 50 + "}", 0, 2, "`${` is not a variable"),
        ("$$${1}", 2, 6, "`${1}` is not a variable"),
    ],
)
def test_a_brace_without_a_name(text: str, start: int, end: int, message: str) -> None:
    template, faults = parse(text)
    assert faults == [TemplateFault(start, end, message, HINT)]
    assert template.render(PARAMS) == text.replace("$$", "$").replace("$x", "1")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("$lrr", "unknown variable `lrr`", "did you mean `$lr`?"),
        ("$HOME", "unknown variable `HOME`", NO_SHELL.replace("NAME", "HOME")),
        ("$SLURM_JOB_ID", "unknown variable `SLURM_JOB_ID`", NO_SHELL.replace("NAME", "SLURM_JOB_ID")),
        ("$xyz", "unknown variable `xyz`", "name it in `ranges`; for the text `$xyz` write `$$xyz`"),
        ("$repeats", "unknown variable `repeats`", "did you mean `$repeat`?"),
    ],
)
def test_unknown_variables(text: str, message: str, hint: str) -> None:
    template = sound("$lr $repeat " + text)
    assert template.unknown(["lr", "seed"]) == [TemplateFault(12, 12 + len(text), message, hint)]


def test_every_use_of_an_unknown_variable_is_a_fault() -> None:
    assert [(fault.start, fault.end) for fault in sound("$a ${b} $a").unknown(["b"])] == [(0, 2), (8, 10)]


def test_identity_does_not_depend_on_spelling() -> None:
    assert sound("a $x-$y$$(b)").canonical() == ["a ", {"var": "x"}, "-", {"var": "y"}, "$(b)"]
    assert sound("a ${x}-${y}$(b)").canonical() == sound("a $x-$y$$(b)").canonical()
    assert sound("$${x}").canonical() != sound("${x}").canonical()
    assert sound("").canonical() == []


TEXTS = st.lists(
    st.sampled_from(["$", "$$", "{", "}", "x", "y", "$x", "${y}", "'", '"', " ", "\\", "é", "\n", "#"]),
    max_size=12,
)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda text: Value(text, text))


@settings(deadline=None)
@given(TEXTS.map("".join), VALUES, VALUES)
def test_any_text_is_a_template(text: str, x: Value, y: Value) -> None:
    template, faults = parse(text)
    for variable in template.variables:
        assert text[variable.start : variable.end] in (f"${variable.name}", f"${{{variable.name}}}")
    assert all(text[fault.start : fault.start + 2] == "${" for fault in faults)
    assert json.loads(json.dumps(template.canonical())) == template.canonical()
    params = {name: x if name == "x" else y for name in template.names}
    rendered = template.render(params)
    lengths = {name: len(value.text.encode()) for name, value in params.items()}
    assert len(rendered.encode()) <= template.longest(lengths)
    filled = [part if isinstance(part, str) else params[part.name].text for part in template.parts]
    assert rendered == "".join(filled)


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["python", "train.py", "--lr", "$x"], []),
        (["sh", "-c", "echo $x"], [2]),
        (["sh", "-c", 'echo "$$1"', "sh", "$x"], []),
        (["/bin/bash", "-euo", "pipefail", "-lc", "echo $x"], [4]),
        (["nice", "-n", "5", "sh", "-c", "echo $x"], [5]),
        (["python3.11", "-c", "print($x)", "$y"], [2]),
        (["python3", "train.py", "-v", "$x"], []),
        (["python", "-X", "dev", "-bc", "$x"], [4]),
        (["python", "train.py", "-c", "$x"], []),
        (["python", "-m", "train", "-c", "$x"], []),
        (["su", "user", "-c", "echo $x"], [3]),
        (["sh", "$x", "-c", "$y"], []),
        (["perl", "-e", "print $x"], [2]),
        (["node", "--eval", "$x"], [2]),
        (["ssh", "-p", "$x", "host", "run $y"], [2, 4]),
        (["$x", "-c", "$y"], []),
        (["sh", "-c"], []),
        ([], []),
    ],
)
def test_variables_in_text_that_a_program_reads_as_code(argv: list[str], found: list[int]) -> None:
    assert in_dash_c([sound(element) for element in argv]) == found
