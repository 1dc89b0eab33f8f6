"""Which sessions an apply runs, and how often the plan is walked for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runner.apply import selection
from runner.apply.selection import Choice, History, Selection
from runner.model import PlannedAttempt
from runner.plan.plan import Plan

PlanText = Callable[[str], Plan]

TEXT = "exec: [echo, $x]\nranges: {x: 'range:0,20'}\n"


class Walks:
    """Counts how often a plan is walked, and how many sessions are rendered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.walks = self.rendered = 0
        points, renderer = Plan.points, Plan.renderer

        def counted_points(plan: Plan, *given: Any) -> Iterator[Any]:
            self.walks += 1
            return points(plan, *given)

        def counted_renderer(plan: Plan) -> Any:
            render = renderer(plan)

            def counted(point: Any) -> Any:
                self.rendered += 1
                return render(point)

            return counted

        monkeypatch.setattr(Plan, "points", counted_points)
        monkeypatch.setattr(Plan, "renderer", counted_renderer)


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> Walks:
    return Walks(monkeypatch)


def selected(plan: Plan, choice: Choice = Choice(), adoptable: frozenset[str] = frozenset()) -> Selection:  # noqa: B008
    history = History(None, plan.recipe, live=False)
    return Selection(plan, history, choice, elsewhere=frozenset(), adoptable=adoptable)


def indices(planned: Iterator[PlannedAttempt | None]) -> list[int]:
    return [one.session.index for one in planned if one is not None]


def test_fresh_plan_is_counted_without_a_walk(plan_text: PlanText, walks: Walks) -> None:
    chosen = selected(plan_text(TEXT))
    assert chosen.count() == (20, 0)
    assert walks.walks == 0
    first = next(one for one in chosen.planned(20, {}) if one is not None)
    assert (first.session.index, walks.rendered) == (0, 1)


def test_selection_and_run_share_one_walk(plan_text: PlanText, walks: Walks) -> None:
    chosen = selected(plan_text(TEXT), Choice(only="new"))
    to_run, left = chosen.count()
    assert (to_run, left) == (20, 0)
    assert indices(chosen.planned(to_run, {})) == list(range(20))
    assert (walks.walks, walks.rendered) == (1, 20)


def test_walks_again_if_more_are_to_run_than_are_kept(
    plan_text: PlanText, walks: Walks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "KEPT_POINTS", 5)
    chosen = selected(plan_text(TEXT), Choice(only="new"))
    to_run, _ = chosen.count()
    assert indices(chosen.planned(to_run, {})) == list(range(20))
    assert (walks.walks, walks.rendered) == (2, 20)


def test_adopted_sessions_come_first_and_once(plan_text: PlanText, walks: Walks) -> None:
    plan = plan_text(TEXT)
    ids = [session.id for session in plan]
    walks.walks = 0
    chosen = selected(plan, adoptable=frozenset((ids[7], ids[3], "of another file")))
    to_run, _ = chosen.count()
    adopted = chosen.in_plan(frozenset((ids[7], ids[3], "of another file")))
    assert adopted == {ids[3], ids[7]}
    planned = indices(chosen.planned(to_run, dict.fromkeys(adopted, "job")))
    assert planned == [3, 7, *(index for index in range(20) if index not in (3, 7))]
    assert walks.walks == 1


def test_adopts_sessions_outside_of_the_selection(plan_text: PlanText) -> None:
    plan = plan_text(TEXT)
    last = list(plan)[-1]
    chosen = selected(plan, Choice(select={"x": last.params["x"]._replace(text="1", data=1)}), frozenset((last.id,)))
    assert chosen.count()[0] == 1
    assert chosen.in_plan(frozenset((last.id,))) == {last.id}
    assert indices(chosen.planned(1, {last.id: "job"})) == [19, 1]
