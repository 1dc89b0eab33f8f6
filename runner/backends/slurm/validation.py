"""What of a sweep this backend could never carry out; found before anything starts, and without asking the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from runner.backends.slurm.options import OURS, OURS_SHORT
from runner.config.sweep import Sweep
from runner.diagnostics import Problem


def problems(sweep: Sweep) -> Iterator[Problem]:
    """In no order."""
    options = sweep.backend.options.get("options", ())
    for option in options:
        word = str(option).strip().partition("=")[0]
        if not word.startswith("-"):
            hint = "one option and its value are one item: `--exclusive`, `--nodes=2`"
            yield Problem(f"`{option}` in `options` is no option of `sbatch`", sweep.backend.span, hint)
        elif word.lstrip("-") in OURS or (word[1] in OURS_SHORT and not word.startswith("--")):
            hint = "the file has its own words for commands, logs and variables"
            yield Problem(f"`{word}` in `options` is what runner itself tells `sbatch`", sweep.backend.span, hint)
