"""Common mistakes of a first sweep file: each has one problem, with its position, fault and hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.load import load
from runner.diagnostics import InvalidSweep, Problem, Source

SWEEP = "exec: [python3, train.py, $lr]\nranges: {lr: [1, 2]}\n"


def problems(text: str) -> list[Problem]:
    try:
        return list(load(Source("sweep.yaml", text), Path("/folder")).warnings)
    except InvalidSweep as error:
        return list(error.problems)


def test_valid_sweep_has_no_problem() -> None:
    assert problems(SWEEP) == []


@pytest.mark.parametrize(
    ("text", "severity", "marked", "message", "hint"),
    [
        (
            "exec: python3 train.py --lr {{ lr }}\nranges: {lr: [1]}",
            "error",
            "{{ lr }}",
            "`{{ lr }}` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: python3 train.py --lr '{lr}'\nranges: {lr: [1]}",
            "error",
            "{lr}",
            "`{lr}` is text here, not the variable",
            "write `$lr`",
        ),
        (
            "exec: [python3, t.py, '{lr}']\nranges: {lr: [1]}",
            "error",
            "{lr}",
            "`{lr}` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: [python3, t.py, '%(lr)s']\nranges: {lr: [1]}",
            "error",
            "%(lr)s",
            "`%(lr)s` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: python3 t.py %(lr)s\nranges: {lr: [1]}",
            "error",
            "%(lr)s",
            "`%(lr)s` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: [python3, t.py, lr]\nranges: {lr: [1]}",
            "error",
            "lr",
            "`lr` is text here, not the variable",
            "write `$lr`",
        ),
        (
            "exec: python3 t.py --lr lr\nranges: {lr: [1]}",
            "error",
            "lr",
            "`lr` is text here, not the variable",
            "write `$lr`",
        ),
        ("exec: [a, {{ lr }}]\nranges: {lr: [1]}", "error", "{{ lr }}", "`{{ lr }}` is not a variable", "write `$lr`"),
        (
            "exec: [a, ${{ matrix.lr }}]\nranges: {lr: [1]}",
            "error",
            "${{ matrix.lr }}",
            "`${{ matrix.lr }}` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: [a, '${{ matrix.lr }}']\nranges: {lr: [1]}",
            "error",
            "${{ matrix.lr }}",
            "`${{ matrix.lr }}` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: [a]\nenv: {LR: 'x ${{ lr }}'}\nranges: {lr: [1]}",
            "error",
            "${{ lr }}",
            "`${{ lr }}` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: [1]}\nbackend: {kind: slurm, time: '1:00'}",
            "error",
            "time",
            "unknown key `time` in `backend`",
            "write `timeout: 1h` beside `backend`",
        ),
        ("exec: [a, '${lr:-0.1}']\nranges: {lr: [1]}", "error", "${lr:-0.1}", "`lr` always has a value", "write `$lr`"),
        (
            "exec: [a, '${params.lr}']\nranges: {lr: [1]}",
            "error",
            "${params.lr}",
            "`${params.lr}` is not a variable",
            "write `$lr`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: 1..5}",
            "error",
            "1..5",
            "`1..5` is not a range expression",
            "write `range:1,6`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: range(5)}",
            "error",
            "range(5)",
            "`range(5)` is not a range expression",
            "write `range:5`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: 'np.linspace(0,1,3)'}",
            "error",
            "'np.linspace(0,1,3)'",
            "`np.linspace(0,1,3)` is not a range expression",
            "write `linspace:0,1,3`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: 'choice(0.1,0.2)'}",
            "error",
            "'choice(0.1,0.2)'",
            "`choice(0.1,0.2)` is not a range expression",
            "write `[0.1,0.2]`",
        ),
        (
            'exec: [a, $lr]\nranges: {lr: "[1,2]"}',
            "error",
            '"[1,2]"',
            "`[1,2]` is not a range expression",
            "write `case:1,2`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: {values: [0.1, 0.2]}}",
            "error",
            "values",
            "unknown kind of range `values` in `ranges.lr`",
            "write the values as a list: `[0.1, 0.2]`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: {min: 0.1, max: 1, distribution: log_uniform}}",
            "error",
            "min",
            "unknown kind of range `min` in `ranges.lr`",
            "such as `geomspace:1e-4,1e-1,4`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: 'log:1e-3,1e-1,5'}",
            "error",
            "'log:1e-3,1e-1,5'",
            "unknown kind of range `log`",
            "did you mean `geomspace`?",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: 'loguniform:1e-3,1e-1,5'}",
            "error",
            "'loguniform:1e-3,1e-1,5'",
            "unknown kind of range `loguniform`",
            "did you mean `geomspace`?",
        ),
        ("exec: [a, $lr]\nranges: {lr: 'range:5,1'}", "error", "'range:5,1'", "an empty range", "write `range:5,1,-1`"),
        (
            "exec: [a, $lr]\nranges: {lr: 'linspace:0,1,0.1'}",
            "error",
            "'linspace:0,1,0.1'",
            "`linspace` of `0.1` points",
            "the third number is the number of points, a whole number; by step it is `range:0,1.1,0.1`",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: [1e-3..1e-1]}",
            "warning",
            "1e-3..1e-1",
            "`1e-3..1e-1` in a list is a value, not a range",
            "write the range without the list",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: ['linspace:0,1,5', 3]}",
            "warning",
            "'linspace:0,1,5'",
            "`linspace:0,1,5` in a list is a value, not a range",
            "write the range without the list",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: 'logspace:1e-4,1e-1,4'}",
            "warning",
            "'logspace:1e-4,1e-1,4'",
            "the START and STOP of `logspace` are exponents of ten",
            "did you mean `geomspace:1e-4,1e-1,4`?",
        ),
        (
            "exec: [a, $lr]\nranges: {lr: [range:1,5]}",
            "error",
            "range:1,5",
            "a comma ends an unquoted range expression in `[ ]`",
            'write `"range:1,5"` without the `[ ]`; if text is meant, quote it',
        ),
        (
            "exec: [a, $lr]\nranges:\n  lr:\n    - range:5\n",
            "warning",
            "range:5",
            "`range:5` in a list is a value, not a range",
            "write the range without the list",
        ),
        (SWEEP + "retries: 3", "error", "retries", "unknown key `retries`", "write `retry: {limit: 3}`"),
        (
            SWEEP + "retry: {limit: 3, on: failure}",
            "error",
            "failure",
            "`retry.on` must be a list, not `failure`",
            "write `[failed]`",
        ),
        (
            SWEEP + "retry: {limit: 3, on: [failure]}",
            "error",
            "failure",
            "unknown cause `failure`",
            "did you mean `failed`?",
        ),
        (SWEEP + "timeout: 10min", "error", "10min", "unknown unit of time `min`", "write `10m`"),
        (SWEEP + "timeout: 5 M", "error", "5 M", "unknown unit of time `M`", "write `5m`"),
        (SWEEP + "timeout: 01:00:00", "error", "01:00:00", "`01:00:00` is not a time", "write `1h`"),
        (SWEEP + "time: '1:00'", "error", "time", "unknown key `time`", "did you mean `timeout`?"),
        (SWEEP + "timeout: '1:00'", "error", "'1:00'", "`1:00` is not a time", "such as `90s`, `10m` or `1.5h`"),
        (
            SWEEP + "resources: {cpu: 500m}",
            "error",
            "500m",
            "the amount `500m` has a unit",
            "write `0.5`; only `mem` takes a unit",
        ),
        (
            SWEEP + "resources: {gpu: a100}",
            "error",
            "a100",
            "`a100` is not a number",
            "write a number; the kind of GPU belongs to the backend: `constraint` or `gres` of `slurm`",
        ),
        (
            SWEEP + "resources: {gpu: all}",
            "error",
            "all",
            "`all` is not a number",
            "write a number; the kind of GPU belongs to the backend: `constraint` or `gres` of `slurm`",
        ),
        (SWEEP + "resources: {cpu: auto}", "error", "auto", "`auto` is not a number", "such as `2` or `0.5`"),
        (
            SWEEP + "metrics: {loss: metrics.json}",
            "error",
            "metrics.json",
            "`metrics.loss` must be a mapping, not `metrics.json`",
            "write `loss: {json: metrics.json}`",
        ),
        (
            SWEEP + "metrics: [loss, acc]",
            "error",
            "[loss, acc]",
            "`metrics` must be a mapping, not a list",
            "such as `metrics: {loss: {json: metrics.json}}`",
        ),
        (
            SWEEP + "python: python3.12",
            "error",
            "python3.12",
            "`python` must be a mapping, not `python3.12`",
            "write `python: {interpreter: python3.12}`",
        ),
        (
            SWEEP + "python: {}",
            "error",
            "{}",
            "`python` is empty",
            "name the modules to import once, such as `preload: [numpy]`",
        ),
        (SWEEP + "program: x", "error", "program", "unknown key `program`", "did you mean `exec`?"),
        (
            SWEEP + "method: grid",
            "error",
            "method",
            "unknown key `method`",
            "remove it: a sweep is a grid; `sample: {size: 100}` runs a part of it",
        ),
        (
            SWEEP + "when: x",
            "error",
            "when",
            "unknown key `when`",
            "`exclude` removes combinations: `exclude: [{opt: sgd, lr: 0.1}]`",
        ),
        (
            SWEEP + "depends_on: [a]",
            "error",
            "depends_on",
            "unknown key `depends_on`",
            "a sweep has one command; write a sweep file for each step",
        ),
        (
            SWEEP + "steps: [a]",
            "error",
            "steps",
            "unknown key `steps`",
            "a sweep has one command; write a sweep file for each step",
        ),
        (SWEEP + "description: x", "error", "description", "unknown key `description`", "write it as a comment: `# …`"),
        (SWEEP + "tags: [a]", "error", "tags", "unknown key `tags`", "write it as a comment: `# …`"),
        (SWEEP + "version: 1", "error", "version", "unknown key `version`", "remove it: the format has no version"),
        (
            SWEEP + "exclude: [{lr: [1,2]}]",
            "error",
            "[1,2]",
            "`exclude.lr` must be a single value, not a list",
            "write one entry for each value",
        ),
        (
            SWEEP + "stop: {failures: ten}",
            "error",
            "ten",
            "`stop.failures` must be a whole number or a percentage, not `ten`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: all}",
            "error",
            "all",
            "`stop.failures` must be a whole number or a percentage, not `all`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: 10 percent}",
            "error",
            "10 percent",
            "`stop.failures` must be a whole number or a percentage, not `10 percent`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: 5%%}",
            "error",
            "5%%",
            "`stop.failures` must be a whole number or a percentage, not `5%%`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: '%'}",
            "error",
            "'%'",
            "`stop.failures` must be a whole number or a percentage, not the string `%`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: ''}",
            "error",
            "''",
            "`stop.failures` must be a whole number or a percentage, not the string ``",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: $lr}",
            "error",
            "$lr",
            "`stop.failures` must be a whole number or a percentage, not `$lr`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: 1e3}",
            "error",
            "1e3",
            "`stop.failures` must be a whole number or a percentage, not `1e3`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: true}",
            "error",
            "true",
            "`stop.failures` must be a whole number or a percentage, not `true`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: null}",
            "error",
            "null",
            "`stop.failures` must be a whole number or a percentage, not `null`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: 0.5}",
            "error",
            "0.5",
            "`stop.failures` must be a whole number or a percentage, not `0.5`",
            'write `"50%"`',
        ),
        (
            SWEEP + "stop: {failures: '10 %'}",
            "error",
            "'10 %'",
            "`stop.failures` must be a whole number or a percentage, not the string `10 %`",
            "such as `10` or `5%`",
        ),
        (
            SWEEP + "stop: {failures: 150%}",
            "error",
            "150%",
            "`stop.failures` must be a whole number or a percentage, not `150%`",
            "such as `10` or `5%`",
        ),
        (SWEEP + "capacity: {cpus: 4}", "error", "cpus", "no session uses the resource `cpus`", "did you mean `cpu`?"),
        (
            SWEEP + "backend: {kind: slurm, token: x}",
            "error",
            "token",
            "unknown key `token` in `backend`",
            "choose from `kind`, `partition`, `account`, `qos`, `constraint`, `options`, `setup`, `pack`, `gres`, `licenses`",
        ),
        (
            SWEEP + "ressources: {cpu: 1}",
            "error",
            "ressources",
            "unknown key `ressources`",
            "did you mean `resources`?",
        ),
        (
            SWEEP + "resources: {Memory: 1}",
            "error",
            "Memory",
            "unknown resource `Memory`",
            "did you mean `mem`? If not, add it to `capacity`",
        ),
        (
            "code: print($lr)\nranges: {lr: [1]}",
            "error",
            "lr",
            "`lr` is not used",
            '`code` is not a template: write `env: {lr: $lr}` and read `os.environ["lr"]`',
        ),
        (
            "exec:\u00a0[a]\nranges: {}",
            "error",
            "\u00a0",
            "a no-break space where YAML needs a space",
            "replace it by a space",
        ),
        (
            "exec: [ls, $lr, '|', tee, log]\nranges: {lr: [1]}",
            "warning",
            "'|'",
            "a list has no shell: `|` is passed to the program as an argument",
            "write `exec` as a string",
        ),
        (
            "exec: [ls, $lr, ~/foo]\nranges: {lr: [1]}",
            "warning",
            "~/foo",
            "a list has no shell: `~/foo` is passed to the program as it is",
            "write the path in full",
        ),
        (
            "exec: [python3, t.py, $lr, $$RUNNER_OUTPUT_DIR]\nranges: {lr: [1]}",
            "warning",
            "$$RUNNER_OUTPUT_DIR",
            "a list has no shell: this is the text `$RUNNER_OUTPUT_DIR`",
            "write `exec` as a string, or read the variable in the program",
        ),
        (
            "exec: [python3 train.py --lr $lr]\nranges: {lr: [1]}",
            "warning",
            "python3 train.py --lr $lr",
            "a list is the program and its arguments: this is a program called `python3 train.py --lr $lr`",
            "write each argument as an item, or remove the `[ ]`",
        ),
        (
            "exec: [echo, \u201c$lr\u201d]\nranges: {lr: [1]}",
            "warning",
            "\u201c$lr\u201d",
            "`“` is part of the value, not a quote",
            "write `\"` or `'`",
        ),
    ],
)
def test_mistake(text: str, severity: str, marked: str, message: str, hint: str) -> None:
    (problem,) = problems(text)
    assert (problem.severity, problem.message, problem.hint) == (severity, message, hint)
    span = problem.span
    assert span is not None
    assert text.split("\n")[span.line][span.column : span.end_column] == marked


def test_hyphen_in_a_variable_is_reported_at_its_use_and_at_its_name() -> None:
    found = problems("exec: [train, $batch-size]\nranges: {batch-size: [1]}")
    assert [problem.message for problem in found] == [
        "`-` is not part of the name of a variable: `$batch-size`",
        "`batch-size` is not a variable name",
    ]
    assert [problem.hint for problem in found] == ["write `$batch_size`", "write `batch_size`"]


def test_refused_value_is_not_read() -> None:
    """A value of the wrong type or form gives problems, not an exception."""
    for key in (
        "stop",
        "retry",
        "sample",
        "timeout",
        "grace",
        "capacity",
        "resources",
        "metrics",
        "zip",
        "exclude",
        "backend",
    ):
        for value in (
            "ten",
            "'%'",
            "''",
            "$lr",
            "-1",
            "0.5",
            "[]",
            "{}",
            "[[]]",
            "{failures: ten}",
            "{limit: x}",
            "[{a: [1]}]",
            "~",
        ):
            problems(f"{SWEEP}{key}: {value}")
