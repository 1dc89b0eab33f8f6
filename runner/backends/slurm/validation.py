"""Checks of a sweep's options for Slurm that need no cluster."""

from __future__ import annotations

from collections.abc import Iterator

from runner.backends.slurm.options import RESERVED_OPTIONS, RESERVED_SHORT_OPTIONS
from runner.config.sweep import Sweep
from runner.diagnostics import Problem


def problems(sweep: Sweep) -> Iterator[Problem]:
    """The options of `sbatch` that the file may not contain."""
    options = sweep.backend.options.get("options", ())
    for option in options:
        word = str(option).strip().partition("=")[0]
        if not word.startswith("-"):
            hint = "write an option and its value as one item: `--exclusive`, `--nodes=2`"
            yield Problem(f"`{option}` in `options` is not an option of `sbatch`", sweep.backend.span, hint)
        elif word.lstrip("-") in RESERVED_OPTIONS or (word[1] in RESERVED_SHORT_OPTIONS and not word.startswith("--")):
            hint = "use `exec`, `workdir` and `env`; logs are kept in the state"
            yield Problem(f"`{word}` in `options` is an option that runner sets itself", sweep.backend.span, hint)
