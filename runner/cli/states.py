"""A sweep together with its state, for the commands that read results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.cli.console import say
from runner.cli.sweeps import PlannedSweep, load_sweep, plan_sweep
from runner.config.load import load
from runner.config.yaml import ScalarNode, parse, read
from runner.diagnostics import Source
from runner.errors import InvalidInput
from runner.plan.plan import Plan
from runner.state import State, open_for_reading
from runner.state.rows import ApplyRow


@contextmanager
def open_sweep(file: str, directory: Path | None) -> Iterator[tuple[PlannedSweep, State | None]]:
    """Open a sweep and its state, None if it has none. If the file is invalid or missing, use the sweep of the last apply.

    Raises InvalidInput if there is no such apply either.
    """
    problem: InvalidInput | None = None
    try:
        planned = plan_sweep(load_sweep(file))
    except InvalidInput as error:
        if file == "-":
            raise
        problem = error
        folder, name = Path(file).absolute().parent, _name(file)
    else:
        folder, name = planned.sweep.folder, planned.sweep.name
    with open_for_reading(folder, name, directory) as opened:
        if problem is not None:
            last = opened.journal.last_apply() if opened else None
            recalled = sweep_of_apply(last, folder) if last else None
            if recalled is None:
                raise problem
            planned = recalled
            say(f"warning: {problem.message}: `{file}` is used as it was last applied")
        yield planned, opened


def sweep_of_apply(apply: ApplyRow, folder: Path) -> PlannedSweep | None:
    """Return the sweep of an earlier or running apply with the ids it had then; None if its text is invalid now."""
    try:
        return PlannedSweep(sweep := load(Source(f"{apply.sweep}.yaml", apply.text), folder), Plan(sweep, apply.recipe))
    except InvalidInput:
        return None


def _name(file: str) -> str:
    """Return the name of a sweep whose file is invalid or gone."""
    try:
        document, _ = parse(read(file))
    except InvalidInput:
        document = None
    named = document.get("name") if document else None
    return named.value.text if isinstance(named, ScalarNode) else Path(file).stem
