"""Load a sweep file, apply the options of the command line, and plan it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.backends import BACKENDS, ENFORCES_MAX_PARALLEL, PROBLEMS
from runner.cli.console import hide, say
from runner.config import input_warnings
from runner.config.checks import check_image
from runner.config.fields import BackendChoice, amount
from runner.config.load import load
from runner.config.names import KNOWN_RESOURCES, RESOURCE_ALIASES
from runner.config.sweep import REPEAT, Sweep
from runner.config.yaml import read
from runner.diagnostics import InvalidSweep, Problem, did_you_mean, in_file_order, nearest, render
from runner.errors import InvalidInput
from runner.model import Amount, Stop, Value
from runner.plan.selection import merged, pairs, quoted
from runner.scalars import equal
from runner.units import UnitError

if TYPE_CHECKING:
    from runner.plan.plan import Plan

SHOWN_VALUES = 10
"""The number of values of a variable that a hint lists."""


@dataclass(frozen=True)
class PlannedSweep:
    """A sweep file that was loaded, with its plan."""

    sweep: Sweep
    plan: Plan

    def selection(self, texts: Iterable[str]) -> dict[str, Value] | None:
        """Return the condition of the `--select` options, None if there are none. Raises InvalidInput."""
        known = [*self.sweep.space.names, REPEAT]
        condition = merged(pair for text in texts for pair in pairs(text, known))
        return condition or None

    def nothing_selected(self, select: Mapping[str, Value]) -> InvalidInput:
        """Return the error for a selection without sessions. The hint lists the values of the variable that excludes all."""
        for name, wanted in select.items():
            repeats = (Value(str(repeat), repeat) for repeat in range(self.sweep.repeat))
            values = list(repeats if name == REPEAT else self.sweep.space.values_of(name))
            if not any(equal(value, wanted) for value in values):
                texts = list(dict.fromkeys(quoted(value.text) for value in values))
                shown = texts if len(texts) <= SHOWN_VALUES else [*texts[: SHOWN_VALUES - 1], "…", texts[-1]]
                return InvalidInput(f"no session has `{name}={wanted.text}`", f"`{name}` has {', '.join(shown)}")
        return InvalidInput("no session has all of the selected values", "`runner plan --all` shows the sessions")


def load_sweep(file: str, *, warn: bool = False) -> Sweep:
    """Read and check a sweep file. Raises InvalidSweep with all of its problems.

    warn: show its warnings, also about what is an input. Commands that run nothing and check nothing do not repeat them.
    """
    source = read(file)
    sweep = load(source, Path(file).absolute().parent if file != "-" else Path.cwd())
    hide(sweep.secrets.known(os.environ).values())
    if warn:
        found = [*sweep.warnings, *input_warnings.warnings(sweep), *sweep.secrets.warnings(os.environ)]
        sweep = replace(sweep, warnings=in_file_order(found))
        show_warnings(sweep)
    return sweep


def show_warnings(sweep: Sweep) -> None:
    if sweep.warnings:
        say(render(sweep.source, sweep.warnings) + "\n")


def plan_sweep(sweep: Sweep) -> PlannedSweep:
    from runner.plan.plan import Plan

    return PlannedSweep(sweep, Plan.of(sweep))


def override(
    sweep: Sweep,
    *,
    capacity: str | None = None,
    max_parallel: int | None = None,
    backend: str | None = None,
    fail_fast: bool = False,
) -> Sweep:
    """Return the sweep with the options of the command line in place of the keys of the file."""
    if capacity is not None:
        sweep = replace(
            sweep, capacity={**sweep.capacity, **parse_capacity(capacity, [*sweep.resources, *sweep.capacity])}
        )
    if max_parallel is not None:
        sweep = replace(sweep, max_parallel=max_parallel)
    if backend is not None and backend != sweep.backend.kind:
        sweep = replace(sweep, backend=BackendChoice(backend, {}))
    if fail_fast:
        sweep = replace(sweep, policy=replace(sweep.policy, stop=Stop(failures=1)))
    check_choice(sweep)
    if ignored := tuple(check_image(sweep)):
        say(render(sweep.source, ignored) + "\n")
        sweep = replace(sweep, warnings=(*sweep.warnings, *ignored))
    return _delegate_max_parallel(sweep)


def _delegate_max_parallel(sweep: Sweep) -> Sweep:
    """Hand `max_parallel` to a backend that enforces it, unless the executor has to choose by `capacity` or `stop` too."""
    limit, choice = sweep.max_parallel, sweep.backend
    if limit is None or choice.kind not in ENFORCES_MAX_PARALLEL or sweep.capacity or sweep.policy.stop is not None:
        return sweep
    return replace(sweep, max_parallel=None, backend=replace(choice, options={**choice.options, "max_parallel": limit}))


def parse_capacity(text: str, resources: Iterable[str] = ()) -> dict[str, Amount]:
    """`cpu=8,mem=16g`; `resources` are those of the file, besides cpu, mem and gpu. Raises InvalidInput."""
    known = tuple(dict.fromkeys((*KNOWN_RESOURCES, *resources)))
    found: dict[str, Amount] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not name or not value:
            message = (
                f"`{part}` in `--capacity` is not `RESOURCE=AMOUNT`" if part.strip() else "`--capacity` lacks an amount"
            )
            raise InvalidInput(message, "write `--capacity cpu=8,mem=16g`")
        if name in found:
            raise InvalidInput(f"`--capacity` names `{name}` twice")
        if name not in known:
            hint = (
                did_you_mean(name, known, RESOURCE_ALIASES) or f"choose from {', '.join(f'`{one}`' for one in known)}"
            )
            raise InvalidInput(f"unknown resource `{name}` in `--capacity`", hint)
        try:
            found[name] = amount(name, Value(value, value))
        except UnitError as error:
            raise InvalidInput(f"`{name}` in `--capacity`: {error.message}", error.hint) from error
    return found


def check_choice(sweep: Sweep) -> None:
    """Raise InvalidSweep or InvalidInput for an unknown backend, or for a sweep that the backend cannot run."""
    choice = sweep.backend
    if choice.kind not in BACKENDS:
        near = nearest(choice.kind, BACKENDS)
        hint = f"did you mean `{near}`?" if near else f"choose from {', '.join(f'`{name}`' for name in BACKENDS)}"
        message = f"unknown backend `{choice.kind}`"
        if choice.span is None:
            raise InvalidInput(message, hint)
        raise InvalidSweep(sweep.source, [Problem(message, choice.span, hint)])
    if choice.kind in PROBLEMS and (problems := list(PROBLEMS[choice.kind](sweep))):
        raise InvalidSweep(sweep.source, problems)
