"""`runner results`: conditions, order, groups and pivots. Missing values and texts are shown, never dropped."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runner.errors import InvalidInput
from runner.model import Value
from runner.results.aggregate import Summary, parse_aggregates
from runner.results.columns import Column, Columns, find, known
from runner.results.filters import in_order, parse_condition, parse_order
from runner.results.rows import ResultRow
from runner.scalars import metric_from
from tests.reporters.test_streams import shell

SWEEP = """\
exec:
  - sh
  - -c
  - 'case $1$2$3 in 1a0) echo loss=4;; 1a1) echo loss=6;; 1b*) echo loss=nan;; 10a0) echo loss=1;; 10b0) exit 3;; esac'
  - sh
  - $lr
  - $opt
  - $seed
ranges: {lr: [1, 10], opt: [a, b], seed: [0, 1]}
exclude: [{lr: 10, opt: a, seed: 1}]
resources: {cpu: 0.1}
metrics: {loss: {regex: 'loss=(.*)'}}
"""

Ask = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """`runner results` of an applied sweep."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "sweep.yaml").write_text(SWEEP)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runner", *arguments]
        return subprocess.run(
            command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False, timeout=300
        )

    assert run("apply").returncode == 1
    return lambda *arguments: run("results", *arguments)


def cells(done: subprocess.CompletedProcess[str], *names: str) -> list[list[str]]:
    """The named columns of a CSV."""
    assert done.returncode == 0, done.stderr
    return [[row[name] for name in names] for row in csv.DictReader(io.StringIO(done.stdout))]


def test_group_counts_missing_values_and_texts(ask: Ask) -> None:
    done = ask("--group-by", "lr,opt", "--agg", "mean,std,min,max,count", "--format", "csv")
    wanted = ("lr", "opt", "sessions", *(f"loss.{name}" for name in ("mean", "std", "min", "max", "count")))
    assert cells(done, *wanted, "loss.missing", "loss.not_numbers") == [
        ["1", "a", "2", "5.0", "1.4142135623730951", "4.0", "6.0", "2", "0", "0"],
        ["1", "b", "2", "", "", "", "", "0", "0", "2"],
        ["10", "a", "1", "1.0", "", "1.0", "1.0", "1", "0", "0"],
        ["10", "b", "2", "", "", "", "", "0", "2", "0"],
    ]


def test_text_shows_one_aggregate_of_duration_and_all_of_metrics(ask: Ask) -> None:
    header = ask("--group-by", "opt", "--agg", "mean,max").stdout.splitlines()[0].split()
    assert [name for name in header if name.startswith(("loss", "duration"))] == [
        *("loss.mean", "loss.max", "loss.missing", "loss.not_numbers", "duration.mean"),
    ]
    assert "duration.max" in ask("--group-by", "opt", "--agg", "mean,max", "--format", "csv").stdout


def test_every_sweep_has_duration_cpu_time_and_memory(ask: Ask) -> None:
    groups = json.loads(ask("--group-by", "lr", "--agg", "count", "--format", "json").stdout)["groups"]
    for group in groups:
        assert list(group["metrics"]) == ["loss", "duration", "cpu_time", "max_rss"]
        assert group["metrics"]["duration"] == {"count": group["sessions"], "missing": 0, "not_numbers": 0}
    assert groups[1]["statuses"] == {"succeeded": 2, "failed": 1}
    assert {"duration", "cpu_time", "max_rss"} <= set(ask().stdout.splitlines()[0].split())


def test_pivot_shows_missing_values_texts_and_partial_cells(ask: Ask) -> None:
    assert ask("--pivot", "opt", "lr", "loss").stdout == "opt  lr=1  lr=10\na       5      1\nb     nan      -\n"
    assert ask("--pivot", "seed", "lr", "loss", "--agg", "max").stdout.splitlines() == [
        "seed        lr=1       lr=10",
        "   0  4 (1 of 2)  1 (1 of 2)",
        "   1  6 (1 of 2)           -",
    ]
    document = json.loads(ask("--pivot", "lr", "opt", "loss", "--format", "json").stdout)
    assert document["columns"] == ["a", "b"]
    assert document["rows"][0] == {
        "row": 1,
        "cells": [
            {"value": 5.0, "sessions": 2, "numbers": 2, "missing": 0, "not_numbers": 0},
            {"value": None, "sessions": 2, "numbers": 0, "missing": 0, "not_numbers": 2},
        ],
    }


def test_pivot_cell_without_sessions_is_empty(ask: Ask) -> None:
    done = ask("--pivot", "seed", "lr", "duration", "--agg", "count", "--where", "opt=a")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["seed", "lr=1", "lr=10"],
        ["0", "1", "1"],
        ["1", "1"],
    ]


def test_all_conditions_must_hold(ask: Ask) -> None:
    done = ask("--where", "lr<10", "--where", "loss>=4", "--where", "duration<1h", "--format", "csv")
    assert cells(done, "lr", "opt", "loss") == [["1", "a", "4"], ["1", "a", "6"]]
    assert cells(ask("--where", "loss=", "--format", "csv"), "lr", "opt", "status") == [
        ["10", "b", "failed"],
        ["10", "b", "succeeded"],
    ]
    assert ask("--where", "lr>100", "--format", "json").stdout == "[]\n"


def test_missing_values_sort_last_in_both_directions(ask: Ask) -> None:
    up = [cell for (cell,) in cells(ask("--sort", "loss", "--format", "csv"), "loss")]
    down = [cell for (cell,) in cells(ask("--sort", "-loss,lr", "--format", "csv"), "loss")]
    assert up == ["1", "4", "6", "nan", "nan", "", ""]
    assert down == ["6", "4", "1", "nan", "nan", "", ""]
    groups = ask("--group-by", "lr", "--sort", "-lr", "--format", "csv")
    assert cells(groups, "lr") == [["10"], ["1"]]
    assert cells(ask("--group-by", "lr,opt", "--sort", "loss", "--format", "csv"), "loss.mean")[:2] == [
        ["1.0"],
        ["5.0"],
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["--sort", "los"], "no column `los`", "did you mean `loss`?"),
        (["--where", "loss"], "`loss` is not a condition", "one of"),
        (
            ["--where", "duration>3 parsecs"],
            "`duration` in `--where`: unknown unit of time `parsecs`",
            "`h`",
        ),
        (["--where", "loss<abc"], "`loss<abc`: `abc` is not a number", "write a number"),
        (["--where", "attempts>many"], "`attempts>many`: `many` is not a number", ""),
        (
            ["--where", "loss>1 and lr=1"],
            "`loss>1 and lr=1` has more than one condition",
            "give `--where` once for each",
        ),
        (["--where", "lr=1 and seed=0"], "`lr=1 and seed=0` has more than one condition", "all must hold"),
        (["--where", "opt=a&&seed<1"], "`opt=a&&seed<1` has more than one condition", "all must hold"),
        (["--where", "opt=a,seed=0"], "`opt=a,seed=0` has more than one condition", "all must hold"),
        (["--where", "loss<<3"], "`loss<<3` is not a condition", "one of"),
        (["--where", "loss=>0.1"], "`loss=>0.1` is not a condition", "one of"),
        (["--where", "loss=<3"], "`loss=<3` is not a condition", "one of"),
        (["--where", "lr=> 0.1"], "`lr=> 0.1` is not a condition", "one of"),
        (["--where", "opt<=<a"], "`opt<=<a` is not a condition", "one of"),
        (["--where", "status=faild"], "`status=faild`: `faild` is not a value of `status`", "did you mean `failed`?"),
        (["--where", "status!=broken"], "`status!=broken`: `broken` is not a value of `status`", "`timed-out`"),
        (["--where", "status<3"], "`status<3`: `status` cannot be ordered", "`!=`"),
        (["--agg", "mean"], "`--agg` needs `--group-by` or `--pivot`", "--group-by"),
        (["--group-by", "lr", "--agg", "mode"], "unknown aggregate `mode`", "`mean`, `std`"),
        (["--group-by", "lr", "--pivot", "lr", "opt", "loss"], "`--group-by` and `--pivot` cannot be combined", ""),
        (["--pivot", "lr", "opt", "seed"], "`seed` is not a metric", "`loss`, `duration`"),
        (["--pivot", "lr", "opt", "nosuch"], "`nosuch` is not a metric", "choose from `loss`, `duration`"),
        (["--pivot", "lr", "opt", "los"], "`los` is not a metric", "did you mean `loss`?"),
        (["--pivot", "lr", "opt", "loss", "--agg", "min,max"], "`--pivot` shows one aggregate", "--agg mean"),
    ],
)
def test_invalid_options_are_errors(ask: Ask, arguments: list[str], error: str, hint: str) -> None:
    done = ask(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {error}\n" in done.stderr
    assert hint in done.stderr


CELL: Column[Value] = Column("x", lambda value: value)
DURATION: Column[Value] = Column("duration", lambda value: value, "duration")


@pytest.mark.parametrize(
    ("condition", "cell", "holds"),
    [
        ("x=0.1", Value("1e-1", 0.1), True),
        ("x==01", Value("1", 1), True),
        ("x=a", Value("a", "a"), True),
        ("x=<pad>", Value("<pad>", "<pad>"), True),
        ("x = a ", Value("a", "a"), True),
        ("x=", Value("", None), True),
        ("x=", Value("0", 0), False),
        ("x!=", Value("0", 0), True),
        ("x!=1", Value("", None), True),
        ("x<2", Value("10", 10), False),
        ("x<2", Value("nan", "nan"), False),
        ("x<2", Value("", None), False),
        ("x>2", Value("", None), False),
        ("x>=2", Value("2.0", 2.0), True),
        ("x<b", Value("a", "a"), True),
        ("x>2026-11-25", Value("2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z"), True),
        ("x<b", Value("", None), False),
        ("duration>1m", Value("61.5", 61.5), True),
        ("duration<=1m", Value("60", 60), True),
    ],
)
def test_condition_on_one_cell(condition: str, cell: Value, holds: bool) -> None:
    assert parse_condition(condition, lambda name: find(name, [CELL, DURATION]))(cell) is holds


def test_sort_is_stable() -> None:
    rows = [known(data) for data in (2, "b", None, 1, "a", 2)]
    order = parse_order(["x"], lambda name: find(name, [CELL]))
    assert [row.data for row in in_order(rows, order)] == [1, 2, 2, "a", "b", None]
    down = parse_order(["-x"], lambda name: find(name, [CELL]))
    assert [row.data for row in in_order(rows, down)] == [2, 2, 1, "b", "a", None]
    assert in_order(rows, down)[0] is rows[0]


def test_aggregates_of_a_sample() -> None:
    summary = Summary()
    for data in (1, 2.5, "inf", None, 4, 10**400):
        summary.add(known(data))
    found = summary.to_json(["mean", "std", "min", "max", "count"])
    assert found == {"mean": 2.5, "std": 1.5, "min": 1.0, "max": 4.0, "count": 3, "missing": 1, "not_numbers": 2}
    assert Summary().to_json(["mean", "std", "count"]) == {
        "mean": None,
        "std": None,
        "count": 0,
        "missing": 0,
        "not_numbers": 0,
    }
    assert parse_aggregates("max, min,max") == ["max", "min"]


@pytest.mark.parametrize(
    ("numbers", "mean", "std"),
    [
        ([0.047] * 3, 0.047, 0.0),
        ([1e308, 1.5e308], 1.25e308, pytest.approx(3.5355339e307)),
        ([1e200, 1e200, -2e200], 0.0, pytest.approx(1.7320508e200)),
        ([1.7e308, -1.7e308], 0.0, None),
        ([1e-200, 3e-200], 2e-200, pytest.approx(1.4142136e-200)),
    ],
)
def test_aggregates_of_extreme_numbers_are_exact(numbers: list[float], mean: float, std: float | None) -> None:
    """Equal numbers have a deviation of 0. Squares that exceed a float do not lose the result."""
    summary = Summary(numbers)
    assert (summary.mean, summary.std) == (mean, std)


def test_name_of_another_column_gets_a_prefix() -> None:
    columns = Columns(["status", "loss"], False, ["loss", "id", "acc"])
    names = [column.name for column in columns.every]
    assert len(set(names)) == len(names)
    assert {"params.status", "loss", "metrics.loss", "metrics.id", "acc"} <= set(names)
    for name in ("status", "params.status", "params.loss", "metrics.loss", "metrics.acc", "acc"):
        assert columns.find(name).name in names
    with pytest.raises(InvalidInput):
        columns.find("metrics.status")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with a number in two spellings, a variable and a metric with names of columns of groups."""
    folder = tmp_path_factory.mktemp("named")
    sweep = {
        "exec": ["echo", "loss=$sessions $lr"],
        "ranges": {"sessions": [10, 20], "lr": "case:0.1,1e-1,0.2", "duration": [1]},
        "env": {"D": "$duration"},
        "metrics": {"loss": {"regex": "loss=(\\S+)"}, "loss.mean": {"regex": "loss=(\\S+)"}},
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    subprocess.run([sys.executable, "-m", "runner", "apply"], cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--group-by", "sessions"), ("params.sessions", "sessions")),
        (("--group-by", "loss.mean"), ("metrics.loss.mean", "loss.mean", "loss.mean.mean")),
        (("--group-by", "sessions,params.duration"), ("params.sessions", "params.duration", "sessions")),
        ((), ("sessions", "params.duration", "duration")),
    ],
)
def test_columns_have_distinct_names(named: Path, arguments: tuple[str, ...], names: tuple[str, ...]) -> None:
    for form in ("csv", "md"):
        done = subprocess.run(
            [sys.executable, "-m", "runner", "results", "--format", form, *arguments],
            cwd=named,
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
        separator = "," if form == "csv" else " | "
        header = done.stdout.split("\n")[0].strip("| ").split(separator)
        assert len(set(header)) == len(header)
        assert set(names) <= set(header)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (("--group-by", "lr", "--agg", "count"), ["0.1,4", "0.2,2"]),
        (("--group-by", "loss", "--agg", "count"), ["10,3", "20,3"]),
        (("--pivot", "lr", "sessions", "loss", "--agg", "count"), ["0.1,2", "0.2,1"]),
    ],
)
def test_two_spellings_of_a_number_are_one_group(named: Path, arguments: tuple[str, ...], lines: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner", "results", "--format", "csv", *arguments],
        cwd=named,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert [",".join(line.split(",")[:2]) for line in done.stdout.splitlines()[1:]] == lines


def test_condition_on_name_with_spaces() -> None:
    columns: list[Column[Any]] = [Column("val loss-é", lambda row: known(row))]
    assert parse_condition("val loss-é <= 3", lambda name: find(name, columns))(2)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over long names that differ near the end, with a metric that is empty, missing, or a number."""
    folder = tmp_path_factory.mktemp("alike")
    names = [f"resnet50-imagenet-pretrained-{at}-augmented-with-everything-there-is" for at in "abc"]
    sweep = {
        "exec": [sys.executable, "-c", "import sys; print(sys.argv[2])", "$model", "$said"],
        "ranges": {"model": names, "said": ['{"m": ""}', '{"x": 1}', '{"m": 3}']},
        "zip": [["model", "said"]],
        "metrics": {"m": {"last_line": "m"}},
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    shell(folder, "runner apply")
    return folder


@pytest.mark.parametrize(
    "arguments", ["", "--group-by model", "--pivot model status m", "--format md --group-by model"]
)
def test_shortened_names_stay_distinct(alike: Path, arguments: str) -> None:
    text = shell(alike, f"runner results {arguments}").stdout
    assert re.findall(r"resnet50\S+", text) == [f"resnet50-i…rained-{at}-augmented-with-ever…" for at in "abc"]


def test_empty_text_is_not_a_missing_value(alike: Path) -> None:
    groups = json.loads(shell(alike, "runner results --group-by status --agg mean --format json").stdout)["groups"]
    assert groups[0]["metrics"]["m"] == {"mean": 3.0, "missing": 1, "not_numbers": 1}
    lines = shell(alike, "runner results --pivot model status m").stdout.splitlines()[1:]
    assert [line.split()[1] for line in lines] == ["''", "-", "3"]


HOSTILE = [
    "a|b",
    "*x*",
    "_y_",
    "<img src=x>",
    "@ada",
    "[x](http://y)",
    "`c`",
    "~~s~~",
    "\\|",
    "&lt;",
    "www.x.org",
    "-",
    "",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with values that are Markdown, or look like a missing value."""
    folder = tmp_path_factory.mktemp("hostile")
    sweep = {"exec": ["true", "$x"], "ranges": {"x": HOSTILE}, "metrics": {"a_b": {"last_line": "m"}}}
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    return folder


@pytest.mark.parametrize(("arguments", "at"), [("", 1), ("--group-by x", 0), ("--pivot x status a_b", 0)])
def test_values_are_escaped_in_markdown(hostile: Path, arguments: str, at: int) -> None:
    text = shell(hostile, f"runner results --format md {arguments}").stdout
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    cells = [token.children or [] for token in tokens if token.type == "inline"]
    assert {child.type for cell in cells for child in cell} <= {"text", "text_special"}
    lines = [["".join(child.content for child in cell) for cell in row] for row in in_rows(tokens)]
    assert [line[at] for line in lines[1:]] == [*HOSTILE[:-2], "'-'", "''"]
    assert "www." not in text


def in_rows(tokens: list[Token]) -> list[list[list[Token]]]:
    rows: list[list[list[Token]]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.children or [])
    return rows


def test_dash_and_empty_text_differ_from_missing_values(hostile: Path) -> None:
    lines = shell(hostile, "runner results").stdout.splitlines()[-2:]
    assert [line.split()[1] for line in lines] == ["'-'", "''"]
    assert all(line.endswith(" -") for line in lines)


def test_order_needs_a_value_and_leaves_out_nan(ask: Ask) -> None:
    done = ask("--where", "loss<")
    assert (done.returncode, "has no value to compare with" in done.stderr) == (2, True)
    assert "NaN" not in ask("--where", "loss<zzz").stdout


def test_empty_result_is_reported_on_stderr(ask: Ask) -> None:
    for form, empty in (("json", "[]\n"), ("csv", None), ("table", None)):
        done = ask("--where", "lr>100", "--format", form)
        assert (done.returncode, done.stderr) == (0, "no row matches\n")
        assert empty is None or done.stdout == empty
    assert "no row matches" not in ask().stderr


def test_text_with_comma_and_equals_is_one_condition() -> None:
    condition = parse_condition("x=a, b=c and d=e", lambda name: find(name, [CELL]))
    assert condition(Value("a, b=c and d=e", "a, b=c and d=e"))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("x='1'", Value("1", 1)),
        ('x="6:20,5:20"', Value("6:20,5:20", "6:20,5:20")),
        ('x="a,x=b"', Value("a,x=b", "a,x=b")),
        ('x = "a and x=b"', Value("a and x=b", "a and x=b")),
        ("x='a\"b'", Value('a"b', 'a"b')),
    ],
)
def test_value_of_a_condition_may_be_quoted(text: str, cell: Value) -> None:
    assert parse_condition(text, lambda name: find(name, [CELL]))(cell)


def test_metrics_have_six_digits_in_text_and_all_in_csv() -> None:
    columns = Columns([], False, ["loss", "steps"])
    metrics = {name: metric_from(data) for name, data in (("loss", 0.039398183641064205), ("steps", 12345678))}
    row = ResultRow._make((0, "0" * 16, {}, 0, "succeeded", *[None] * 13, metrics))
    shown = {column.name: column.shown(row) for column in columns.short}
    assert (shown["loss"], shown["steps"]) == ("0.0393982", "12345678")
    assert [column.of(row).text for column in columns.every][-2:] == ["0.039398183641064205", "12345678"]
