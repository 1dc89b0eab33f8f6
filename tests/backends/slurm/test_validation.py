"""Options of `sbatch` that a file may not contain."""

from __future__ import annotations

import pytest

from runner.backends.slurm.validation import problems
from tests.conftest import LoadText


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("exclusive", "`exclusive` in `options` is not an option of `sbatch`"),
        ("--array=1-3", "`--array` in `options` is an option that runner sets itself"),
        ("-o", "`-o` in `options` is an option that runner sets itself"),
        ("-Jname", "`-Jname` in `options` is an option that runner sets itself"),
    ],
)
def test_option_that_is_not_allowed(load_text: LoadText, option: str, words: str) -> None:
    sweep = load_text(f"exec: ['true']\nbackend: {{kind: slurm, options: ['{option}']}}\n")
    [problem] = problems(sweep)
    assert problem.message == words


def test_other_options_are_allowed(load_text: LoadText) -> None:
    sweep = load_text("exec: ['true']\nbackend: {kind: slurm, options: [--exclusive, --nodes=2, -N2]}\n")
    assert list(problems(sweep)) == []
