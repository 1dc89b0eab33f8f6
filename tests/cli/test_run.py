"""`runner run`: the sweep file that its flags are converted to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.run.flags import Flags, to_document, to_yaml
from runner.config.load import load
from runner.config.yaml import parse, plain
from runner.diagnostics import Source
from runner.errors import InvalidInput
from runner.plan.plan import Plan

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)
SCALARS = (
    TEXTS | st.integers(-(10**6), 10**6) | st.sampled_from(["no", "1e3", "~", "true", " x", "a: b", "a #b", "- x"])
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "code", "exec"]), SCALARS, min_size=1),
    st.dictionaries(TEXTS.filter(lambda text: text), TEXTS, min_size=1, max_size=3),
    st.lists(TEXTS, min_size=1, max_size=4),
)
def test_printed_sweep_reads_back_as_the_same_data(
    top: dict[str, Any], inner: dict[str, str], listed: list[str]
) -> None:
    """Any text on the command line reads back unchanged from the sweep file."""
    document = {**top, "env": inner, "files": listed}
    node, problems = parse(Source("<test>", to_yaml(document)))
    readable = all(char.isprintable() or char in "\t\n" for text in map(str, [*top.values(), *listed]) for char in text)
    if readable and all(char.isprintable() for pair in inner.items() for text in pair for char in text):
        assert not [problem for problem in problems if problem.severity == "error"]
        assert node is not None
        assert plain(node) == document


def combinations(flags: Flags) -> list[dict[str, str]]:
    sweep = load(Source("<command line>", to_yaml(to_document(flags)[0])), Path())
    return [{name: value.text for name, value in session.params.items()} for session in Plan.of(sweep)]


def test_order_of_ranges_is_env_build_exec() -> None:
    """As Backend.AI's client has it: six sessions, env outermost."""
    flags = Flags(exec="echo $Y", env=("X=$X",), exec_range=("Y=case:1,2",), env_range=("X=case:1,1.5,2",))
    assert combinations(flags) == [{"X": x, "Y": y} for x in ("1", "1.5", "2") for y in ("1", "2")]


def test_range_of_one_kind_is_used_by_all_templates() -> None:
    """Where Backend.AI's client ends in a KeyError."""
    assert combinations(Flags(exec="echo $X", env_range=("X=case:a,b",))) == [{"X": "a"}, {"X": "b"}]


def test_same_name_in_two_kinds_of_range_gives_two_variables() -> None:
    flags = Flags(
        exec="echo ${X} $X ${X:-1} $((Y))", env=("A=$X",), env_range=("X=case:1,2",), exec_range=("X=case:a",)
    )
    document, warnings = to_document(flags)
    assert warnings == []
    assert document["exec"] == "echo ${exec_X} $exec_X ${exec_X:-1} $((Y))"
    assert document["env"] == {"A": "${env_X}"}
    assert list(document["ranges"]) == ["env_X", "exec_X"]


@pytest.mark.parametrize(("given_", "kept"), [("256", "256m"), ("256m", "256m"), ("1g", "1g"), ("1.5", "1.5m")])
def test_memory_without_a_unit_is_mebibytes(given_: str, kept: str) -> None:
    document, _ = to_document(Flags(code="pass", resources=(f"mem={given_}", "cpu=2")))
    assert document["resources"] == {"mem": kept, "cpu": 2}


def test_unused_range_is_dropped_with_a_warning() -> None:
    flags = Flags(exec="echo $X", exec_range=("X=range:2",), env_range=("Y=range:9",))
    assert len(combinations(flags)) == 2
    assert to_document(flags)[1] == ["nothing refers to `Y` of `--env-range`; its values make no difference"]


@pytest.mark.parametrize(
    "flags",
    [
        Flags(code="pass", env=("A",)),
        Flags(code="pass", env=("=1",)),
        Flags(exec="$X", exec_range=("X",)),
        Flags(exec="$X", exec_range=("1X=case:1",)),
        Flags(exec="$X", exec_range=("X=case:1", "X=case:2")),
    ],
)
def test_argument_without_equals_sign_is_refused(flags: Flags) -> None:
    with pytest.raises(InvalidInput):
        to_document(flags)
