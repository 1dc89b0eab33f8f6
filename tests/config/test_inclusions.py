"""`include` beside ranges and zip: one number in two spellings, and members of a zip that are not named."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.load import load
from runner.diagnostics import InvalidSweep, Problem, Source
from runner.plan.plan import Plan


def planned(text: str) -> tuple[list[str], list[Problem]]:
    """Return the commands of a sweep, and its problems."""
    try:
        sweep = load(Source("sweep.yaml", text), Path("/folder"))
    except InvalidSweep as error:
        return [], list(error.problems)
    return [" ".join(session.exec or ()) for session in Plan.of(sweep)], list(sweep.warnings)


@pytest.mark.parametrize(
    ("values", "included", "spelled", "sessions"),
    [
        ("'geomspace:1e-3,1e-1,3'", "1e-3", "0.001", ["0.001", "0.01", "0.1"]),
        ("[0.5, 1]", "1.0", "1", ["0.5", "1"]),
        ("[0.5, 1]", ".5", "0.5", ["0.5", "1"]),
        ("[16]", "0x10", "16", ["16"]),
        ("'range:3'", "2e0", "2", ["0", "1", "2"]),
        ("[1e3]", "1000", "1e3", ["1e3"]),
        ("'range:20001'", "2e4", "20000", [str(number) for number in range(20001)]),
    ],
)
def test_included_number_takes_the_spelling_of_the_range(
    values: str, included: str, spelled: str, sessions: list[str]
) -> None:
    commands, warnings = planned(f"exec: [t, $x]\nranges: {{x: {values}}}\ninclude: [{{x: {included}}}]")
    assert commands == [f"t {text}" for text in sessions]
    assert warnings[0].hint == f"write `x: {spelled}`"


def test_numbers_of_two_inclusions_have_one_spelling() -> None:
    commands, warnings = planned("exec: [t, $x]\nranges: {x: [1]}\ninclude: [{x: 0.5}, {x: 5e-1}, {x: '0.5'}]")
    assert commands == ["t 1", "t 0.5", "t 0.5"]  # the last one is a text
    assert len(warnings) == 2  # of the spelling, and of a session that exists


def test_text_of_a_range_is_not_the_number_of_an_inclusion() -> None:
    commands, warnings = planned("exec: [t, $x]\nranges: {x: ['1.0']}\ninclude: [{x: 1}]")
    assert (commands, warnings) == (["t 1.0", "t 1"], [])


@pytest.mark.parametrize(
    "values", ["[3.1, 3.9, 3.10]", "'case:3.1,3.10'", "{case: [1, 1.0]}", "[0.001, 1e-3]", "[16, 0x10]", "[0, -0.0]"]
)
def test_two_spellings_of_one_number_in_a_range_are_a_warning(values: str) -> None:
    _, (warning,) = planned(f"exec: [t, $x]\nranges: {{x: {values}}}")
    assert "are one number" in warning.message


@pytest.mark.parametrize("values", ["['3.1', '3.10']", "[3.1, '3.10']", "[1, true]", "[1, 2.0]", "'linspace:0,1,3'"])
def test_distinct_values_are_no_warning(values: str) -> None:
    assert planned(f"exec: [t, $x]\nranges: {{x: {values}}}")[1] == []


ZIPPED = """\
exec: [t, $model, $width, $depth, $lr]
ranges: {model: [small, big, big], width: [1, 2, 3], depth: [7, 8, 9], lr: [0.1]}
zip: [[model, width, depth]]
"""


@pytest.mark.parametrize(
    ("entry", "added"),
    [
        ("{model: small, lr: 0.5}", ["t small 1 7 0.5"]),
        ("{width: 2.0, lr: 0.5}", ["t big 2 8 0.5"]),
        ("{depth: 9, lr: 0.5}", ["t big 3 9 0.5"]),
        ("{model: big, lr: 0.5}", ["t big 2 8 0.5", "t big 3 9 0.5"]),
        ("{model: big, depth: 9, lr: 0.5}", ["t big 3 9 0.5"]),
        ("{model: huge, width: 1, depth: 8}", ["t huge 1 8 0.1"]),
    ],
)
def test_include_of_a_zipped_variable_takes_its_partners(entry: str, added: list[str]) -> None:
    commands, _ = planned(f"{ZIPPED}include: [{entry}]")
    assert commands[3:] == added


@pytest.mark.parametrize("entry", ["{model: huge}", "{model: small, width: 2}", "{model: huge, width: 4, lr: 1}"])
def test_include_of_a_zipped_variable_without_partners_is_an_error(entry: str) -> None:
    _, (problem,) = planned(f"{ZIPPED}include: [{entry}]")
    assert problem.message.startswith("`zip` has no row with `model=")
    assert (problem.hint or "").startswith("give this entry `")
