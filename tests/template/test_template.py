"""Templates: what is a variable, what it renders to, and what is wrong with it."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model import Value
from runner.template.template import Template, TemplateFault, in_dash_c, parse

PARAMS = {"x": Value("1", 1), "y": Value("a b", "a b"), "repeat": Value("0", 0)}


def sound(text: str, *, shell: bool = False) -> Template:
    template, faults = parse(text, shell=shell)
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
    assert all(variable.quotable for variable in template.variables)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("p $x --y=$y", "p 1 --y='a b'"),
        ("p \"$x\" '$x' $$HOME $$(p $x)", "p \"1\" '1' $HOME $(p 1)"),
        ("$x\np \\$x", "'1'\np \\1"),
        ("p '$$' $y", "p '$' 'a b'"),
    ],
)
def test_rendering_for_a_shell(text: str, rendered: str) -> None:
    assert sound(text, shell=True).render(PARAMS) == rendered


@pytest.mark.parametrize(
    ("text", "start", "end", "message"),
    [
        ("a ${", 2, 4, "`${` is no variable"),
        ("${}", 0, 3, "`${}` is no variable"),
        ("é${a-b}$x", 1, 7, "`${a-b}` is no variable"),
        ("${HOME:-/tmp}", 0, 13, "`${HOME:-/tmp}` is no variable"),
        ("${x y", 0, 5, "`${x y` is no variable"),
        ("${x\n}", 0, 3, "`${x` is no variable"),
        ("${" + "y " * 50 + "}", 0, 2, "`${` is no variable"),
        ("$$${1}", 2, 6, "`${1}` is no variable"),
    ],
)
def test_a_brace_that_is_no_name(text: str, start: int, end: int, message: str) -> None:
    template, faults = parse(text)
    assert faults == [TemplateFault(start, end, message, "for the text `${` write `$${`")]
    assert template.render(PARAMS) == text.replace("$$", "$").replace("$x", "1")
    assert parse(text, shell=True)[1][0].hint == "for the shell to see `${` write `$${`"


@pytest.mark.parametrize(
    ("text", "shell", "message", "hint"),
    [
        ("$lrr", False, "unknown variable `lrr`", "did you mean `$lr`?"),
        ("$HOME", True, "unknown variable `HOME`", "write `$$HOME` for the shell's own variable"),
        ("$HOME", False, "unknown variable `HOME`", "write `$$HOME` for the text `$HOME`"),
        (
            "$SLURM_JOB_ID",
            True,
            "unknown variable `SLURM_JOB_ID`",
            "write `$$SLURM_JOB_ID` for the shell's own variable",
        ),
        ("$LR", True, "unknown variable `LR`", "did you mean `$lr`, or `$$LR` for the shell's own variable?"),
        (
            "$xyz",
            True,
            "unknown variable `xyz`",
            "name it in `ranges`, or write `$$xyz` for the shell's own variable",
        ),
        ("$repeats", False, "unknown variable `repeats`", "did you mean `$repeat`?"),
    ],
)
def test_unknown_variables(text: str, shell: bool, message: str, hint: str) -> None:
    template = sound("$lr $repeat " + text, shell=shell)
    assert template.unknown(["lr", "seed"]) == [TemplateFault(12, 12 + len(text), message, hint)]


def test_every_use_of_an_unknown_variable_is_a_fault() -> None:
    assert [(fault.start, fault.end) for fault in sound("$a ${b} $a").unknown(["b"])] == [(0, 2), (8, 10)]


def test_a_value_where_it_cannot_be_quoted() -> None:
    template = sound("p $x \"$x\" '$y'", shell=True)
    assert template.unquotable_names() == ("x", "y")
    assert [(variable.name, variable.where) for variable in template.unquotable()] == [
        ("x", "inside double quotes"),
        ("y", "inside single quotes"),
    ]
    assert template.faults_for("x", Value("0.1", 0.1)) == []
    assert template.faults_for("x", Value("", "")) == []
    assert template.faults_for("other", Value("a b", "a b")) == []
    hint = "write the command as a list, or pass the value by `env` for the shell to read"
    assert template.faults_for("x", Value("a b", "a b")) == [
        TemplateFault(6, 8, "the value `a b` of `x` needs quotes, which it cannot get inside double quotes", hint)
    ]
    (long,) = template.faults_for("y", Value("\n" * 40, ""))
    assert (long.start, long.end) == (11, 13)
    wanted = "the value `" + r"\n" * 19 + "\\…` of `y` needs quotes, which it cannot get inside single quotes"
    assert long.message == wanted
    syntax = sound("case a in $x) ;; esac", shell=True).faults_for("x", Value("esac", "esac"))
    assert syntax == [
        TemplateFault(10, 12, "the value `esac` of `x` could change what the shell reads after `case`", hint)
    ]


@pytest.mark.parametrize("shell", [False, True])
def test_identity_does_not_depend_on_spelling(shell: bool) -> None:
    assert sound("a $x-$y$$(b)", shell=shell).canonical() == ["a ", {"var": "x"}, "-", {"var": "y"}, "$(b)"]
    assert sound("a ${x}-${y}$(b)", shell=shell).canonical() == sound("a $x-$y$$(b)", shell=shell).canonical()
    assert sound("$${x}").canonical() != sound("${x}").canonical()
    assert sound("").canonical() == []


TEXTS = st.lists(
    st.sampled_from(["$", "$$", "{", "}", "x", "y", "$x", "${y}", "'", '"', " ", "\\", "é", "\n", "#"]),
    max_size=12,
)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda text: Value(text, text))


@settings(deadline=None)
@given(TEXTS.map("".join), VALUES, VALUES, st.booleans())
def test_any_text_is_a_template(text: str, x: Value, y: Value, shell: bool) -> None:
    template, faults = parse(text, shell=shell)
    for variable in template.variables:
        assert text[variable.start : variable.end] in (f"${variable.name}", f"${{{variable.name}}}")
    assert all(text[fault.start : fault.start + 2] == "${" for fault in faults)
    assert json.loads(json.dumps(template.canonical())) == template.canonical()
    params = {name: x if name == "x" else y for name in template.names}
    rendered = template.render(params)
    lengths = {name: len(value.text.encode()) for name, value in params.items()}
    assert len(rendered.encode()) <= template.longest(lengths)
    if not shell:
        filled = [part if isinstance(part, str) else params[part.name].text for part in template.parts]
        assert rendered == "".join(filled)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5))
def test_words_of_a_shell_string_are_the_values(values: list[Value]) -> None:
    names = [f"v{at}" for at in range(len(values))]
    template = sound("p " + " ".join(f"${name}" for name in names), shell=True)
    rendered = template.render(dict(zip(names, values, strict=True)))
    assert shlex.split(rendered) == ["p", *(value.text for value in values)]


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
