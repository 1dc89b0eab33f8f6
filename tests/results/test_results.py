"""Results chosen, sorted and taken together: what is missing or no number is shown as such, never dropped."""

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
            command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False, timeout=120
        )

    assert run("apply").returncode == 1
    return lambda *arguments: run("results", *arguments)


def cells(done: subprocess.CompletedProcess[str], *names: str) -> list[list[str]]:
    """The named columns of a CSV."""
    assert done.returncode == 0, done.stderr
    return [[row[name] for name in names] for row in csv.DictReader(io.StringIO(done.stdout))]


def test_a_group_has_aggregates_and_tells_what_is_no_part_of_them(ask: Ask) -> None:
    done = ask("--group-by", "lr,opt", "--agg", "mean,std,min,max,count", "--format", "csv")
    wanted = ("lr", "opt", "sessions", *(f"loss.{name}" for name in ("mean", "std", "min", "max", "count")))
    assert cells(done, *wanted, "loss.missing", "loss.not_numbers") == [
        ["1", "a", "2", "5.0", "1.4142135623730951", "4.0", "6.0", "2", "0", "0"],
        ["1", "b", "2", "", "", "", "", "0", "0", "2"],
        ["10", "a", "1", "1.0", "", "1.0", "1.0", "1", "0", "0"],
        ["10", "b", "2", "", "", "", "", "0", "2", "0"],
    ]


def test_people_see_one_aggregate_of_what_is_measured_and_all_of_a_metric(ask: Ask) -> None:
    header = ask("--group-by", "opt", "--agg", "mean,max").stdout.splitlines()[0].split()
    assert [name for name in header if name.startswith(("loss", "duration"))] == [
        *("loss.mean", "loss.max", "loss.missing", "loss.not_numbers", "duration.mean"),
    ]
    assert "duration.max" in ask("--group-by", "opt", "--agg", "mean,max", "--format", "csv").stdout


def test_wall_cpu_and_peak_memory_are_metrics_of_every_sweep(ask: Ask) -> None:
    groups = json.loads(ask("--group-by", "lr", "--agg", "count", "--format", "json").stdout)["groups"]
    for group in groups:
        assert list(group["metrics"]) == ["loss", "duration", "cpu_time", "max_rss"]
        assert group["metrics"]["duration"] == {"count": group["sessions"], "missing": 0, "not_numbers": 0}
    assert groups[1]["statuses"] == {"succeeded": 2, "failed": 1}
    assert {"duration", "cpu_time", "max_rss"} <= set(ask().stdout.splitlines()[0].split())


def test_a_pivot_shows_gaps_text_and_parts_as_what_they_are(ask: Ask) -> None:
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


def test_a_pivot_has_an_empty_cell_where_there_is_no_session(ask: Ask) -> None:
    done = ask("--pivot", "seed", "lr", "duration", "--agg", "count", "--where", "opt=a")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["seed", "lr=1", "lr=10"],
        ["0", "1", "1"],
        ["1", "1"],
    ]


def test_conditions_are_all_to_hold(ask: Ask) -> None:
    done = ask("--where", "lr<10", "--where", "loss>=4", "--where", "duration<1h", "--format", "csv")
    assert cells(done, "lr", "opt", "loss") == [["1", "a", "4"], ["1", "a", "6"]]
    assert cells(ask("--where", "loss=", "--format", "csv"), "lr", "opt", "status") == [
        ["10", "b", "failed"],
        ["10", "b", "succeeded"],
    ]
    assert ask("--where", "lr>100", "--format", "json").stdout == "[]\n"


def test_what_has_no_number_comes_last_whichever_way(ask: Ask) -> None:
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
        (["--where", "loss"], "`loss` is no condition", "one of"),
        (
            ["--where", "duration>3 parsecs"],
            "`duration` in `--where`: unknown unit of time `parsecs`",
            "write a number",
        ),
        (["--where", "loss<abc"], "`loss<abc` compares numbers with `abc`, which is none", "write a number"),
        (["--where", "attempts>many"], "`attempts>many` compares numbers with `many`, which is none", ""),
        (
            ["--where", "loss>1 and lr=1"],
            "`loss>1 and lr=1` compares numbers with `1 and lr=1`, which is none",
            "several times",
        ),
        (["--where", "loss<<3"], "`loss<<3` is no condition", "one of"),
        (["--where", "loss=>0.1"], "`loss=>0.1` is no condition", "one of"),
        (["--where", "loss=<3"], "`loss=<3` is no condition", "one of"),
        (["--where", "lr=> 0.1"], "`lr=> 0.1` is no condition", "one of"),
        (["--where", "opt<=<a"], "`opt<=<a` is no condition", "one of"),
        (["--where", "status=faild"], "`status=faild`: no row can have this `status`", "did you mean `failed`?"),
        (["--where", "status!=broken"], "`status!=broken`: no row can have this `status`", "`timed-out`"),
        (["--where", "status<3"], "`status<3`: `status` has no order", "`!=`"),
        (["--agg", "mean"], "`--agg` aggregates nothing", "--group-by"),
        (["--group-by", "lr", "--agg", "mode"], "unknown aggregate `mode`", "`mean`, `std`"),
        (["--group-by", "lr", "--pivot", "lr", "opt", "loss"], "`--group-by` and `--pivot` exclude each other", ""),
        (["--pivot", "lr", "opt", "seed"], "`seed` is no metric", "`loss`, `duration`"),
        (["--pivot", "lr", "opt", "nosuch"], "`nosuch` is no metric", "there is `loss`, `duration`"),
        (["--pivot", "lr", "opt", "los"], "`los` is no metric", "did you mean `loss`?"),
        (["--pivot", "lr", "opt", "loss", "--agg", "min,max"], "`--pivot` shows one aggregate", "--agg mean"),
    ],
)
def test_what_cannot_be_meant_is_said(ask: Ask, arguments: list[str], error: str, hint: str) -> None:
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
def test_one_condition(condition: str, cell: Value, holds: bool) -> None:
    assert parse_condition(condition, lambda name: find(name, [CELL, DURATION]))(cell) is holds


def test_rows_that_are_equal_stay_in_their_order() -> None:
    rows = [known(data) for data in (2, "b", None, 1, "a", 2)]
    order = parse_order(["x"], lambda name: find(name, [CELL]))
    assert [row.data for row in in_order(rows, order)] == [1, 2, 2, "a", "b", None]
    down = parse_order(["-x"], lambda name: find(name, [CELL]))
    assert [row.data for row in in_order(rows, down)] == [2, 2, 1, "b", "a", None]
    assert in_order(rows, down)[0] is rows[0]


def test_aggregates_are_those_of_a_sample() -> None:
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
def test_aggregates_lose_nothing_on_their_way(numbers: list[float], mean: float, std: float | None) -> None:
    """Equal numbers have no spread, and squares that no float can hold are no reason to have none."""
    summary = Summary(numbers)
    assert (summary.mean, summary.std) == (mean, std)


def test_a_name_that_is_taken_is_told_apart() -> None:
    columns = Columns(["status", "loss"], False, ["loss", "id", "acc"])
    names = [column.name for column in columns.every]
    assert len(set(names)) == len(names)
    assert {"params.status", "loss", "metrics.loss", "metrics.id", "acc"} <= set(names)
    for name in ("status", "params.status", "params.loss", "metrics.loss", "metrics.acc", "acc"):
        assert columns.find(name).name in names
    with pytest.raises(InvalidInput):
        columns.find("metrics.status")


def test_names_of_any_kind_can_be_asked_for() -> None:
    columns: list[Column[Any]] = [Column("val loss-é", lambda row: known(row))]
    assert parse_condition("val loss-é <= 3", lambda name: find(name, columns))(2)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over long names that differ late, with a metric that is the empty text, missing, or neither."""
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
def test_long_names_that_differ_read_differently(alike: Path, arguments: str) -> None:
    text = shell(alike, f"runner results {arguments}").stdout
    assert re.findall(r"resnet50\S+", text) == [f"resnet50-i...ained-{at}-augmented-with-e..." for at in "abc"]


def test_an_empty_text_is_no_missing_value_in_a_group(alike: Path) -> None:
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
    """A sweep with values that mean something to Markdown, or look like a missing one."""
    folder = tmp_path_factory.mktemp("hostile")
    sweep = {"exec": ["true", "$x"], "ranges": {"x": HOSTILE}, "metrics": {"a_b": {"last_line": "m"}}}
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    return folder


@pytest.mark.parametrize(("arguments", "at"), [("", 1), ("--group-by x", 0), ("--pivot x status a_b", 0)])
def test_nothing_in_a_table_means_anything_to_markdown(hostile: Path, arguments: str, at: int) -> None:
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


def test_a_dash_and_an_empty_text_are_told_from_what_is_missing(hostile: Path) -> None:
    lines = shell(hostile, "runner results").stdout.splitlines()[-2:]
    assert [line.split()[1] for line in lines] == ["'-'", "''"]
    assert all(line.endswith(" -") for line in lines)


def test_an_order_is_with_something(ask: Ask) -> None:
    """Nothing is neither more nor less, and NaN never is."""
    done = ask("--where", "loss<")
    assert (done.returncode, "compares with nothing" in done.stderr) == (2, True)
    assert "NaN" not in ask("--where", "loss<zzz").stdout
