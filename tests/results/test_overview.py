"""The overview of a plan from the journal's counts is the one that walking the plan gives."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from runner.config.load import load
from runner.config.metrics import RegexMetric
from runner.diagnostics import Source
from runner.model import Outcome, Scalar, Session, Status
from runner.plan.plan import Plan
from runner.results import overview as module
from runner.results.collected import MissingMetrics
from runner.results.columns import Columns
from runner.results.overview import Overview, overview
from runner.results.rows import csv_rows, result_row, result_rows, results
from runner.state import open_for_reading
from runner.state.rows import Succeeded
from tests.journalled import Ending, record_apply

TEXT = "name: s\nexec: [echo, $x, $y]\nranges: {x: 'range:30', y: [b, 'ü']}\nrepeat: 2\n"


def plan_of(folder: Path, text: str = TEXT) -> Plan:
    return Plan.of(load(Source("s.yaml", text), folder))


def outcome(session: Session) -> Ending | None:
    """Of seven sessions five succeed, one fails and one is not run."""
    number = session.index % 7
    if number == 6:
        return None
    return Ending(Outcome.FAILED, 1, "exit code 1") if number == 5 else Ending()


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = plan_of(tmp_path)
    record_apply(plan, tmp_path, outcome)
    return plan


def facts(found: Overview) -> tuple[object, ...]:
    counts = {status: count for status, count in found.counts.items() if count}
    groups = [replace_seconds(group) for group in found.succeeded]
    return counts, groups, found.unfinished, found.orphaned


def replace_seconds(group: Succeeded) -> Succeeded:
    return group._replace(seconds=round(group.seconds, 6))


def test_overview_from_journal_equals_walk_of_plan(tmp_path: Path, plan: Plan) -> None:
    with open_for_reading(tmp_path, "s") as state:
        assert state is not None
        found = module._from_journal(plan, state)
        assert facts(found) == facts(module._from_plan(plan, state))
        assert facts(found) == facts(overview(plan, state))
    assert found.counts == {"succeeded": 86, "failed": 17, "new": 17}
    assert [result.session.index for result in found.unfinished] == list(range(5, 120, 7))
    assert found.orphaned == 0


def test_overview_after_a_range_was_narrowed_counts_orphans(tmp_path: Path, plan: Plan) -> None:
    narrowed = plan_of(tmp_path, TEXT.replace("range:30", "range:10,40"))
    assert narrowed.recipe.digest == plan.recipe.digest
    with open_for_reading(tmp_path, "s") as state:
        assert state is not None
        found = overview(narrowed, state)
    assert found.orphaned == sum(1 for session in plan if session.index < 40 and outcome(session))
    assert found.counts[Status.NEW] == 40 + sum(1 for session in plan if session.index >= 40 and not outcome(session))


def test_overview_of_another_recipe_has_only_new_sessions(tmp_path: Path, plan: Plan) -> None:
    edited = plan_of(tmp_path, TEXT.replace("echo", "printf"))
    with open_for_reading(tmp_path, "s") as state:
        assert state is not None
        found = overview(edited, state)
    assert (found.counts[Status.NEW], found.unfinished, found.orphaned) == (120, [], 103)


def test_rows_are_found_in_any_order_of_the_sessions(tmp_path: Path, plan: Plan) -> None:
    sessions = list(plan)
    shuffled = random.Random(1).sample(sessions, len(sessions))
    with open_for_reading(tmp_path, "s") as state:
        assert state is not None
        rows = {row.id: row for row in result_rows(plan.points(), state, plan.sweep.metrics)}
        assert [row.id for row in result_rows(shuffled, state, plan.sweep.metrics)] == [
            session.id for session in shuffled
        ]
        assert {row.id: row for row in result_rows(shuffled, state, plan.sweep.metrics)} == rows
        assert {row.id: row for row in (result_row(result, state) for result in results(plan, state))} == rows


STORED: dict[str, Scalar] = {"loss": 0.5, "text": "a,b", "steps": 2**70}


def test_csv_rows_are_the_texts_of_all_columns(tmp_path: Path) -> None:
    """Of plain values, of numbers with another text, of missing ones, and of another definition."""
    text = TEXT + "metrics: {loss: {regex: 'a'}, flag: {regex: 'b'}, text: {regex: 'c'}, steps: {regex: 'd'}}\n"
    plan = plan_of(tmp_path, text)
    flags: list[Scalar] = [True, None, 7, "x"]
    record_apply(
        plan, tmp_path, lambda session: replace(Ending(), metrics={**STORED, "flag": flags[session.index % 4]})
    )
    changed = {**plan.sweep.metrics, "text": RegexMetric("e"), "new": RegexMetric("f")}
    with open_for_reading(tmp_path, "s") as state:
        for metrics in (plan.sweep.metrics, changed):
            columns, missing, counted = (
                Columns(plan.sweep.space.names, True, tuple(metrics)),
                MissingMetrics(),
                MissingMetrics(),
            )
            rows = list(result_rows(plan.points(), state, metrics))
            cells = list(csv_rows(plan.points(), state, metrics, missing))
            assert [["" if cell is None else str(cell) for cell in row] for row in cells] == [
                [column.of(row).text for column in columns.every] for row in rows
            ]
            for row in rows:
                counted.add(row.metrics)
            assert missing == counted
            shuffled = random.Random(1).sample(list(plan.points()), plan.count)
            assert sorted(csv_rows(shuffled, state, metrics, MissingMetrics())) == cells
            assert missing.sessions == plan.count


def test_reading_takes_few_statements(tmp_path: Path) -> None:
    """One for 500 rows of CSV; for the overview of a file that is as it was applied, as many for each size."""
    counts = {}
    for size in (5, 600):
        plan = plan_of(
            tmp_path,
            f"name: n{size}\nexec: [echo, $x]\nranges: {{x: 'range:{size}'}}\nmetrics: {{loss: {{regex: a}}}}\n",
        )
        record_apply(plan, tmp_path, lambda session: Ending(metrics={"loss": 1}))
        with open_for_reading(tmp_path, plan.sweep.name) as state:
            assert state is not None
            statements: list[str] = []
            state.journal._connection.set_trace_callback(statements.append)
            assert len(list(csv_rows(plan.points(), state, plan.sweep.metrics, MissingMetrics()))) == size
            csv = len(statements)
            assert overview(plan, state).missing == MissingMetrics(size)
            counts[size] = csv, len(statements) - csv
    assert (counts[5][0], counts[600][0]) == (1, 2)
    assert counts[5][1] == counts[600][1]
