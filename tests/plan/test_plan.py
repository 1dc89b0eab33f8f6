"""The plan: order, sampling, selection, laziness."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable

import pytest

from runner.errors import InvalidInput
from runner.model import Session, Value
from runner.plan.plan import Plan
from runner.plan.selection import parse_selection

PlanText = Callable[[str], Plan]

SWEEP = """
exec: [train, $a, $b, "$repeat"]
ranges: {a: [1, 2], b: [x, y, z]}
repeat: 2
"""


def shown(sessions: list[Session]) -> list[str]:
    return ["".join(value.text for value in session.params.values()) + f".{session.repeat}" for session in sessions]


def test_order_is_the_product_in_file_order_then_repeat(plan_text: PlanText) -> None:
    sessions = list(plan_text(SWEEP))
    assert shown(sessions)[:5] == ["1x.0", "1x.1", "1y.0", "1y.1", "1z.0"]
    assert [session.index for session in sessions] == list(range(12))
    assert sessions[1].exec == ("train", "1", "x", "1")


def test_exclude_then_include_then_sample_then_repeat(plan_text: PlanText) -> None:
    text = SWEEP + "exclude: [{a: 1, b: y}]\ninclude: [{b: new}]\n"
    everything = shown(list(plan_text(text)))
    assert everything[::2] == ["1x.0", "1z.0", "2x.0", "2y.0", "2z.0", "1new.0", "2new.0"]
    sampled = shown(list(plan_text(text + "sample: {size: 3, seed: 1}\n")))
    assert len(sampled) == 6
    assert [one for one in everything if one in sampled] == sampled


def test_sample_grows_by_adding_and_depends_on_its_seed(plan_text: PlanText) -> None:
    """A larger sample contains the smaller one; new values keep most of it; another seed gives another sample."""
    text = "exec: [show, $x]\nranges: {x: 'range:100'}\n"
    ten = shown(list(plan_text(text + "sample: {size: 10, seed: 7}\n")))
    twenty = shown(list(plan_text(text + "sample: {size: 20, seed: 7}\n")))
    other = shown(list(plan_text(text + "sample: {size: 10, seed: 8}\n")))
    grown = shown(list(plan_text(text.replace("100", "110") + "sample: {size: 10, seed: 7}\n")))
    assert set(ten) < set(twenty)
    assert set(other) != set(ten)
    assert len(set(grown) & set(ten)) >= 7


def test_zipped_ranges_vary_at_the_position_of_the_first(plan_text: PlanText) -> None:
    text = "exec: [t, $m, $k, $w]\nranges: {m: [s, l], k: [1, 2], w: [64, 128]}\nzip: [[m, w]]\n"
    assert [session.exec for session in plan_text(text)] == [
        ("t", "s", "1", "64"),
        ("t", "s", "2", "64"),
        ("t", "l", "1", "128"),
        ("t", "l", "2", "128"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        SWEEP,
        SWEEP + "exclude: [{a: 1}]\n",
        SWEEP + "include: [{a: 9}, {a: 9, b: x}, {a: 1, b: x}]\n",
        SWEEP + "sample: {size: 4}\n",
        SWEEP + "sample: {size: 400}\n",
        "exec: [true]\n",
        "exec: [true]\nrepeat: 5\n",
    ],
)
def test_count_is_the_number_of_sessions(plan_text: PlanText, text: str) -> None:
    plan = plan_text(text)
    assert plan.count == len(list(plan)) == len({session.id for session in plan})


def test_selection_compares_numbers_as_numbers(plan_text: PlanText) -> None:
    plan = plan_text("exec: [show, $x, $y]\nranges: {x: [0.1, 1e-1, '0.1', 2], y: [on, off]}\nrepeat: 2\n")
    select = parse_selection("x=0.10,y=on,repeat=1", plan.sweep.space.names)
    found = list(plan.sessions(select))
    assert [session.params["x"].text for session in found] == ["0.1", "1e-1"]
    assert [session.index for session in found] == [1, 5]


@pytest.mark.parametrize("text", ["x", "=1", "y=1", ""])
def test_selection_of_an_unknown_variable_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_selection(text, ["x"])


def test_texts_stay_as_written_and_json_carries_the_type(plan_text: PlanText) -> None:
    values = "[1e-3, 010, 1.50, ~, true, '1', no, 12:30, 0x1F]"
    plan = plan_text(f"exec: [show, $x]\nranges: {{x: {values}}}\n")
    assert [session.exec for session in plan] == [
        *[("show", text) for text in ("1e-3", "010", "1.50", "~", "true", "1", "no", "12:30", "0x1F")]
    ]
    assert [session.params["x"].data for session in plan] == [
        0.001,
        10,
        1.5,
        None,
        True,
        "1",
        "no",
        "12:30",
        31,
    ]


def test_plan_of_a_million_is_lazy(plan_text: PlanText) -> None:
    plan = plan_text("exec: [show, $x, $y]\nranges: {x: 'range:1000', y: 'range:1000'}\nrepeat: 10\n")
    assert plan.count == 10_000_000
    assert [session.index for session in itertools.islice(plan, 3)] == [0, 1, 2]


def test_resources_are_exact_amounts(plan_text: PlanText) -> None:
    plan = plan_text("exec: [show]\nresources: {cpu: $c, mem: 1.5g}\nranges: {c: [0.1, 2]}\n")
    first, second = plan
    assert sum([first.resources["cpu"]] * 10) == 1
    assert (second.resources["cpu"], second.resources["mem"]) == (2, 3 * 512 * 1024**2)


def test_plan_imports_no_event_loop() -> None:
    """`import runner.plan.plan` works without trio."""
    code = "import sys, runner.plan.plan, runner.apply.selection\n"
    code += "print([m for m in ('trio', 'httpx', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_params_hold_values(plan_text: PlanText) -> None:
    (session,) = plan_text("exec: [show, $x]\nranges: {x: ['a b']}\n")
    assert session.params == {"x": Value("a b", "a b")}


def test_integer_and_float_are_different_values(plan_text: PlanText) -> None:
    sessions = list(plan_text("exec: [show, $x]\nranges: {x: [1, !!float 1, '1', 1.0]}\n"))
    assert [session.params["x"].text for session in sessions] == ["1", "1.0", "1"]
    assert len({session.id for session in sessions}) == 3


def test_repeat_is_lazy(plan_text: PlanText) -> None:
    plan = plan_text("exec: [show]\nrepeat: 10000000\n")
    assert plan.count == 10_000_000
    assert [session.repeat for session in itertools.islice(plan, 3)] == [0, 1, 2]
