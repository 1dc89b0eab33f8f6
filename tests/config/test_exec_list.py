"""Warnings about an `exec` list that was written as if a shell read it, and about characters that only look right."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.load import load
from runner.diagnostics import Problem, Source


def warnings(text: str) -> list[Problem]:
    return list(load(Source("sweep.yaml", text), Path("/folder")).warnings)


def of_argument(argument: str) -> list[tuple[str, str | None]]:
    text = argument.replace("'", "''").replace("$", "$$")
    return [(one.message, one.hint) for one in warnings(f"exec: [show, '{text}', $lr]\nranges: {{lr: [1]}}\n")]


@pytest.mark.parametrize(
    "argument",
    [
        "|",
        "&&",
        "||",
        ";",
        "&",
        ">",
        ">>",
        "<",
        "2>&1",
        ">log",
        ">>out/log.txt",
        "2>err",
        "&>log",
        "<data/in.txt",
        "$(date)",
        "`id`",
    ],
)
def test_argument_that_only_a_shell_interprets(argument: str) -> None:
    fault = f"a list has no shell: `{argument}` is passed to the program as an argument"
    assert of_argument(argument) == [(fault, "write `exec` as a string")]


@pytest.mark.parametrize(
    "argument",
    ["~", "~/foo", "*.txt", "data/*", "a/b/*.npy", "file?.txt", "[ab].txt", "data_[0-9].csv".replace("-", "")],
)
def test_path_that_only_a_shell_expands(argument: str) -> None:
    ((fault, hint),) = of_argument(argument)
    assert fault == f"a list has no shell: `{argument}` is passed to the program as it is"
    assert hint == ("write the path in full" if argument.startswith("~") else "write `exec` as a string")


@pytest.mark.parametrize("argument", ["$HOME", "$RUNNER_OUTPUT_DIR", "${TMPDIR}/x"])
def test_variable_that_only_a_shell_expands(argument: str) -> None:
    ((fault, hint),) = of_argument(argument)
    assert fault.startswith("a list has no shell: this is the text `$")
    assert hint == "write `exec` as a string, or read the variable in the program"


@pytest.mark.parametrize(
    ("argument", "fault", "hint"),
    [
        ("--seed 1", "`--seed 1` is one argument, with a space in it", "write two items: `--seed, 1`"),
        ("-n  4", "`-n  4` is one argument, with a space in it", "write two items: `-n, 4`"),
        ("–seed", "`–` is a dash, not the `-` of an option", "write `--seed`"),
        ("—seed", "`—` is a dash, not the `-` of an option", "write `--seed`"),
    ],
)
def test_option_that_no_program_takes(argument: str, fault: str, hint: str) -> None:
    assert of_argument(argument) == [(fault, hint)]


@pytest.mark.parametrize(
    "argument",
    [
        ">=1.0",
        ">5",
        "<unk>",
        "<bos>",
        "what?",
        "a*b",
        "x|y",
        "a;b",
        "1 + 2",
        "hello world",
        "print(1) # | x",
        "--lr=1 2",
        "-",
        "--",
        "a~b",
        "–",
        "x–y",
    ],
)
def test_argument_without_a_warning(argument: str) -> None:
    assert of_argument(argument) == []


@pytest.mark.parametrize("first", ["python3 t.py", "python3 train.py --lr"])
def test_program_with_its_arguments_in_one_item(first: str) -> None:
    (warning,) = warnings(f"exec: [{first}, $lr]\nranges: {{lr: [1]}}\n")
    assert warning.message == f"a list is the program and its arguments: this is a program called `{first}`"
    assert warnings("exec: [/opt/my app/run, $lr]\nranges: {lr: [1]}\n") == []


@pytest.mark.parametrize(
    ("command", "fault", "hint"),
    [
        ("train –lr $lr", "`–` is a letter to the shell", "write `-` or `--`"),
        ("train ——lr $lr", "`——` is a letter to the shell", "write `-` or `--`"),
        ("train “x” $lr", "`“` is a letter to the shell", 'write `"`'),
        ("train\u00a0x $lr", "`U+00A0` is a letter to the shell", "write a space"),
        ("train x\u200b $lr", "`U+200B` is a letter to the shell", "write a space"),
        ("train '“x” –y' \"a\u00a0b\" $lr – # “", None, None),
        ("train it’s$lr’s", None, None),
    ],
)
def test_character_that_looks_like_one_of_the_shell(command: str, fault: str | None, hint: str | None) -> None:
    found = warnings(f"exec: |-\n  {command}\nranges: {{lr: [1]}}\n")
    assert [(one.message, one.hint) for one in found] == ([(fault, hint)] if fault else [])


@pytest.mark.parametrize(
    ("range_", "meant"),
    [
        ("'logspace:1e-4,1e-1,4'", "1e-4,1e-1,4"),
        ("{logspace: [1e-4, 1e-1, 4]}", "1e-4,1e-1,4"),
        ("'logspace:1,100,3'", "1,100,3"),
        ("{logspace: [32, 256, 4]}", "32,256,4"),
    ],
)
def test_values_as_exponents_of_logspace(range_: str, meant: str) -> None:
    (warning,) = warnings(f"exec: [show, $lr]\nranges: {{lr: {range_}}}\n")
    assert warning.hint == f"did you mean `geomspace:{meant}`?"


@pytest.mark.parametrize(
    "range_", ["'logspace:-4,-1,4'", "'logspace:0,3,4'", "'logspace:1,9,9'", "{logspace: [-0.5, 0.5, 3]}"]
)
def test_exponents_of_logspace(range_: str) -> None:
    assert warnings(f"exec: [show, $lr]\nranges: {{lr: {range_}}}\n") == []
