"""Identity: pinned digests, and what may and what may not change them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.plan.ids import difference, recipe
from runner.plan.plan import Plan

PlanText = Callable[[str], Plan]

SWEEP = """
name: one
exec: [train, --lr, $lr, $mode]
env: {SEED: $seed}
ranges:
  lr: [0.1, 1e-3]
  mode: [fast, "1"]
  seed: range:2
repeat: 2
"""


def ids(plan: Plan) -> list[str]:
    return [session.id for session in plan]


def test_pinned_digests(plan_text: PlanText) -> None:
    """A change of these digests runs every session of every user again: it has to be intended and in the changelog."""
    plan = plan_text(SWEEP)
    assert plan.recipe.digest == PINNED_RECIPE
    assert ids(plan)[:3] == PINNED_IDS
    assert len(set(ids(plan))) == plan.count == 16


PINNED_RECIPE = "298a7bce65835380a6dd9ed6f2bbb2c0bd25a47b8ac0b9d1903ae0a75a1ba06b"
PINNED_IDS = ["4bc80eb780d00a6d", "56b713e526e9b910", "033d0052193cfd62"]


def test_digests_follow_the_documented_formula(plan_text: PlanText) -> None:
    """Computed here from the documented formula, without code of runner."""
    recipe = {
        "env": {"SEED": [{"var": "seed"}]},
        "exec": [["train"], ["--lr"], [{"var": "lr"}], [{"var": "mode"}]],
    }
    digest = hashlib.sha256(json.dumps(recipe, separators=(",", ":"), sort_keys=True).encode()).hexdigest()
    point = '[1,["lr","0.1",0.1],["mode","fast","fast"],["seed","0",0]]'
    point_digest = hashlib.sha256(point.encode()).hexdigest()[:16]
    session = list(plan_text(SWEEP))[1]
    assert session.repeat == 1
    assert session.point == point_digest
    assert session.id == hashlib.sha256(f"{digest}:{point_digest}".encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: one", "name: two"),
        ("--lr, $lr", '--lr, "${lr}"'),
        (
            "repeat: 2",
            "repeat: 2\nresources: {cpu: 0.5, mem: 1g}\ntimeout: 5\nretry: {limit: 3}\nmax_parallel: 3",
        ),
        ("repeat: 2", "repeat: 2\nsecrets: [TOKEN]\nmetrics: {m: {regex: x}}\nworkdir: ."),
        ("repeat: 2", "repeat: 2\nbackend: local\ncapacity: {cpu: 64}\nstop: {failures: 3}\ngrace: 1"),
        ("{SEED: $seed}", "{SEED: '${seed}'}  # a comment"),
    ],
)
def test_keys_that_do_not_change_the_id(plan_text: PlanText, old: str, new: str) -> None:
    assert ids(plan_text(SWEEP.replace(old, new))) == ids(plan_text(SWEEP))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[train, --lr", "[train, --rate"),
        ("[train, --lr, $lr, $mode]", "train --lr $lr $mode"),
        ("SEED: $seed", "SEED: $seed, OTHER: x"),
        ("repeat: 2", "repeat: 2\nworkdir: sub"),
        ("repeat: 2", "repeat: 2\nimage: python:3.11"),
    ],
)
def test_keys_that_change_the_id(plan_text: PlanText, old: str, new: str) -> None:
    assert not set(ids(plan_text(SWEEP.replace(old, new)))) & set(ids(plan_text(SWEEP)))


PYTHON = """
exec: [python, train.py, $seed]
python: {interpreter: python3, preload: [json]}
ranges: {seed: range:2}
"""


def test_interpreter_changes_the_id_and_preload_does_not(plan_text: PlanText) -> None:
    """The interpreter replaces `python`, so it is part of what is computed."""
    plan = plan_text(PYTHON)
    assert ids(plan) == PINNED_PYTHON_IDS
    parts = {"exec": [["python"], ["train.py"], [{"var": "seed"}]], "python": "python3"}
    assert plan.recipe.digest == recipe(parts).digest
    assert ids(plan_text(PYTHON.replace("[json]", "[json, decimal]"))) == ids(plan)
    other = plan_text(PYTHON.replace("python3,", "sh,"))
    assert not set(ids(other)) & set(ids(plan))
    assert difference(plan.recipe, other.recipe) == "`python`"
    bare = PYTHON.replace("interpreter: python3, ", "")
    assert ids(plan_text(bare)) == ids(plan_text(bare.replace("python: {preload: [json]}\n", "")))


PINNED_PYTHON_IDS = ["76364f8a49cb31a9", "67dfa5c2eabfe46f"]


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("range:2", "range:3", 16),
        ("repeat: 2", "repeat: 3", 16),
        ("[0.1, 1e-3]", "[1e-3, 0.5, 0.1]", 16),
        ("[0.1, 1e-3]", "[0.10, 1e-3]", 8),
        ('[fast, "1"]', "[fast, 1]", 8),
    ],
)
def test_changed_range_keeps_ids_of_its_old_values(plan_text: PlanText, old: str, new: str, kept: int) -> None:
    """Both the text and the type of a value are identity; its place is not."""
    assert len(set(ids(plan_text(SWEEP.replace(old, new)))) & set(ids(plan_text(SWEEP)))) == kept


def test_order_of_ranges_does_not_change_ids(plan_text: PlanText) -> None:
    swapped = (
        SWEEP.replace("  lr: [0.1, 1e-3]\n", "")
        .replace("repeat: 2", "repeat: 2\n")
        .replace("  seed: range:2\n", "  seed: range:2\n  lr: [0.1, 1e-3]\n")
    )
    assert set(ids(plan_text(swapped))) == set(ids(plan_text(SWEEP)))
    assert ids(plan_text(swapped)) != ids(plan_text(SWEEP))


def test_content_of_files_changes_the_digest_but_not_sans_files(plan_text: PlanText, tmp_path: Path) -> None:
    program = tmp_path / "train"
    text = SWEEP + "files: [train]\n"
    program.write_text("one")
    before = plan_text(text)
    program.write_text("two")
    after = plan_text(text)
    assert not set(ids(before)) & set(ids(after))
    assert before.recipe.sans_files == after.recipe.sans_files
    assert [session.point for session in before] == [session.point for session in after]
    assert difference(before.recipe, after.recipe) == "`files` (train)"


def test_difference_names_the_changed_parts(plan_text: PlanText) -> None:
    old = plan_text(SWEEP)
    new = plan_text(SWEEP.replace("--lr", "--rate").replace("SEED", "SEEDS"))
    assert difference(old.recipe, new.recipe) == "`exec` and `env` (SEED, SEEDS)"
