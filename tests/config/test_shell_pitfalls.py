"""Warnings about shell strings in which a failure goes unnoticed, or which /bin/sh does not know."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config.load import load
from runner.config.shell_pitfalls import check_pitfalls
from runner.diagnostics import Problem, Source


def warnings(command: str, shell: str = "bash", more: str = "") -> list[Problem]:
    """Return the warnings about a command that may be several lines."""
    indented = "".join(f"  {line}\n" for line in command.split("\n"))
    sweep = load(
        Source("sweep.yaml", f"exec: |-\n{indented}ranges: {{lr: [1]}}\nenv: {{LR: $lr}}\n{more}"), Path("/folder")
    )
    return list(check_pitfalls(sweep, shell))


PIPE = "goes unnoticed: the last command of a pipe decides"
SEQUENCE = "goes unnoticed: the shell runs the next command"


@pytest.mark.parametrize(
    ("command", "fault", "hint"),
    [
        (
            'python3 t.py --lr "$lr" | tee log.txt',
            f'a failure of `python3 t.py --lr "$lr"` {PIPE}',
            "leave out `| tee log.txt`: `runner logs` prints what a session has written",
        ),
        (
            'python3 t.py "$lr" | grep "loss" | tail -n 1',
            f'a failure of `python3 t.py "$lr"` {PIPE}',
            'write `exec: [bash, -euo, pipefail, -c, "python3 t.py \\"$$1\\" | grep \\"loss\\" | tail -n 1", bash, $lr]`',
        ),
        (
            "a 2>&1 | sort >out",
            f"a failure of `a 2>&1` {PIPE}",
            'write `exec: [bash, -euo, pipefail, -c, "a 2>&1 | sort >out", bash]`',
        ),
        ("echo start\ncat x | a | b\n", f"a failure of `a` {PIPE}", "write `exec: [bash, -euo, pipefail, -c, …]`"),
        (
            "make\n./a.out",
            f"a failure of `make` {SEQUENCE}",
            "begin with a line `set -e`, or join the commands by `&&`",
        ),
        (
            "false\necho x",
            f"a failure of `false` {SEQUENCE}",
            "begin with a line `set -e`, or join the commands by `&&`",
        ),
        ("cd $lr; a", f"a failure of `cd $lr` {SEQUENCE}", "begin with `set -e;`, or join the commands by `&&`"),
        (
            "python3 t.py; echo done",
            f"a failure of `python3 t.py` {SEQUENCE}",
            "begin with `set -e;`, or join the commands by `&&`",
        ),
        ("a && b; c", f"a failure of `b` {SEQUENCE}", "begin with `set -e;`, or join the commands by `&&`"),
        (
            "for i in 1 2; do a; b; done",
            f"a failure of `a` {SEQUENCE}",
            "begin with `set -e;`, or join the commands by `&&`",
        ),
    ],
)
def test_failure_that_goes_unnoticed(command: str, fault: str, hint: str) -> None:
    assert [(one.severity, one.message, one.hint) for one in warnings(command)] == [("warning", fault, hint)]


@pytest.mark.parametrize(
    "command",
    [
        "python3 t.py --lr $lr",
        "a || b",
        "a || exit 1\nb",
        "a && b",
        "echo 'a | b' \"c; d\" # e | f; g",
        "cat <<EOF\na | b\nc; d\nEOF",
        "x=$(a | b)\necho $x",
        "echo $lr | a",
        "printf x | a",
        "cat x | sort",
        "a | grep -q x",
        "if a | b; then echo x; fi",
        "while a | b; do sleep 1; done",
        "set -e\na\nb",
        "set -eu; a; b",
        "set -euo pipefail\na | b\nc",
        "a; echo $?",
        "a\nexit $?",
        "a &\nb &\nwait",
        "export A=1\nsource env.sh\na",
        "mkdir -p x; rm -f y; sleep 1; a",
        "! a; b",
        "case $lr in 1|2) a;; esac",
        "f() { a; b; }\nf",
        "trap 'a | b' EXIT; c",
        "a \\\n  --lr $lr \\\n  --seed 1",
        "for i in 1 2; do\n  a\ndone",
    ],
)
def test_string_without_a_warning(command: str) -> None:
    assert warnings(command) == []


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("set -euo pipefail; a", "set -o pipefail"),
        ("set -o pipefail\na", "set -o pipefail"),
        ("if [[ $lr == 1 ]]; then a; fi", "[["),
        ("source env.sh && a", "source"),
        ("echo x && source env.sh", "source"),
        ("a <<<$lr", "<<<"),
        ("a <(b)", "<("),
        ("a &>log", "&>"),
        ("x=(1 2) && a", "name=(…)"),
        ("function f { a; }", "function"),
    ],
)
def test_construct_of_bash(command: str, name: str) -> None:
    found = warnings(command, "dash")
    assert [one.message for one in found] == [f"`{name}` is not known to `dash`, which is `/bin/sh` here"]
    assert (found[0].hint or "").startswith("write `exec: [bash, -euo, pipefail, -c, ")
    assert not [one for one in warnings(command, "bash") if "not known" in one.message]
    assert not [one for one in warnings(command, "dash", "backend: slurm\n") if "not known" in one.message]


@pytest.mark.parametrize(
    "command", ["echo '[[ a ]]' \"<<<\"", "echo source code", "data_source=1 a", "a >&2 2>&1", "a=$((1<(2)))"]
)
def test_construct_of_every_shell(command: str) -> None:
    assert warnings(command, "dash") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("command", ["sh -c 'exit 3' $lr | cat", 'sh -c "exit $lr" | cat >/dev/null; true'])
def test_hint_can_be_followed(tmp_path: Path, command: str) -> None:
    """The rewritten command fails where the string succeeded."""
    (found,) = warnings(command)
    lines = {"before": f"exec: {command}", "after": (found.hint or "").removeprefix("write `").removesuffix("`")}
    codes = {}
    for name, line in lines.items():
        (tmp_path / f"{name}.yaml").write_text(f"{line}\nranges: {{lr: [3]}}\nenv: {{LR: $lr}}\n")
        apply = [sys.executable, "-m", "runner", "apply", f"{name}.yaml"]
        codes[name] = subprocess.run(apply, cwd=tmp_path, check=False, capture_output=True, timeout=300).returncode
    assert codes == {"before": 0, "after": 1}


@pytest.mark.parametrize(
    ("command", "fault", "hint"),
    [
        ("echo a > /dev/stderr", "> /dev/stderr", "write `>&2`, or `>>/dev/stderr`"),
        ("echo a 1>/dev/stderr", "1>/dev/stderr", "write `1>&2`, or `>>/dev/stderr`"),
        ("echo a >| /dev/fd/2", ">| /dev/fd/2", "write `>&2`, or `>>/dev/stderr`"),
        ("echo a > /dev/stdout", "> /dev/stdout", "write `>&1`, or `>>/dev/stdout`"),
        ("echo a > /proc/self/fd/1", "> /proc/self/fd/1", "write `>&1`, or `>>/dev/stdout`"),
        ("echo a | tee /dev/stderr", "tee /dev/stderr", "write `tee -a /dev/stderr`"),
    ],
)
def test_redirection_that_empties_the_log(command: str, fault: str, hint: str) -> None:
    (found,) = warnings(command)
    assert found.severity == "warning"
    assert (found.message.split("`")[1], found.hint) == (fault, hint)
    assert warnings(command, more="backend: backend.ai\nimage: x\n") == []


@pytest.mark.parametrize(
    "command",
    ["echo a >&2", "echo a >> /dev/stderr", "echo a | tee -a /dev/stderr", "echo '> /dev/stderr'", "cat </dev/stdin"],
)
def test_redirection_that_keeps_the_log(command: str) -> None:
    assert warnings(command) == []
