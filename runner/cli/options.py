"""What several commands share: the sweep they are given, the state it has, and how their words are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.backends import BACKENDS, OPTIONS, PROBLEMS
from runner.capacity import Capacity
from runner.checks import check_fits
from runner.diagnostics import InvalidSweep, Problem, nearest, render
from runner.errors import InvalidInput
from runner.loading import load
from runner.model import Amount, Stop, Value
from runner.plan import Plan, parse_selection
from runner.sections import BackendChoice, amount
from runner.source import read
from runner.sweep import Sweep
from runner.units import UnitError

F = TypeVar("F", bound=Callable[..., Any])


def sweep_argument(function: F) -> F:
    return click.argument("file", metavar="[SWEEP.YAML]", default="sweep.yaml")(function)


def state_option(function: F) -> F:
    return click.option(
        "--state",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Keep state in DIR instead of `.runner/`.",
    )(function)


def select_option(function: F) -> F:
    return click.option(
        "--select",
        metavar="X=V,…",
        multiple=True,
        help="Only sessions that have these values; may be repeated.",
    )(function)


@dataclass(frozen=True)
class Given:
    """A sweep as given on the command line, with its plan."""

    sweep: Sweep
    plan: Plan

    def selection(self, texts: Iterable[str]) -> dict[str, Value] | None:
        """What `--select` asks for; None where nothing was asked. Raises InvalidInput."""
        condition: dict[str, Value] = {}
        for text in texts:
            condition |= parse_selection(text, self.sweep.space.names)
        return condition or None


def load_sweep(file: str) -> Sweep:
    """Read and check a sweep file, and show its warnings. Raises InvalidSweep with all of its problems."""
    source = read(file)
    sweep = load(source, Path(file).absolute().parent if file != "-" else Path.cwd())
    show_warnings(sweep)
    return sweep


def show_warnings(sweep: Sweep) -> None:
    if sweep.warnings:
        click.echo(render(sweep.source, sweep.warnings) + "\n", err=True)


def given(sweep: Sweep) -> Given:
    return Given(sweep, Plan.of(sweep))


def override(
    sweep: Sweep,
    *,
    capacity: str | None = None,
    max_parallel: int | None = None,
    backend: str | None = None,
    fail_fast: bool = False,
) -> Sweep:
    """The sweep with what the command line says instead; the file's own words stay for what it does not name."""
    if capacity is not None:
        sweep = replace(sweep, capacity={**sweep.capacity, **parse_capacity(capacity)})
    if max_parallel is not None:
        sweep = replace(sweep, max_parallel=max_parallel)
    if backend is not None and backend != sweep.backend.kind:
        sweep = replace(sweep, backend=BackendChoice(backend, {}))
    if fail_fast:
        sweep = replace(sweep, policy=replace(sweep.policy, stop=Stop(failures=1)))
    check_choice(sweep)
    return sweep


def parse_capacity(text: str) -> dict[str, Amount]:
    """`cpu=8,mem=16g`. Raises InvalidInput."""
    found: dict[str, Amount] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"`{part}` is not `RESOURCE=AMOUNT`", "write `--capacity cpu=8,mem=16g`")
        try:
            found[name.strip()] = amount(name.strip(), Value(value.strip(), value.strip()))
        except UnitError as error:
            raise InvalidInput(f"in `--capacity`: {error.message}", error.hint) from error
    return found


def capacity_of(sweep: Sweep) -> Capacity:
    """How much may be in use at once: what the sweep says, and for the local backend what this machine offers besides."""
    if sweep.backend.kind != "local":
        return Capacity(sweep.capacity, sweep.max_parallel)
    from runner.backends.local.devices import DeviceLocks
    from runner.backends.local.machine import offers

    machine = offers(os.environ)
    limits: dict[str, Amount] = {
        "cpu": machine.cpu,
        "mem": machine.mem,
        "gpu": len(machine.gpus),
        **sweep.capacity,
    }
    devices = machine.gpus or tuple(str(index) for index in range(int(limits["gpu"])))
    return Capacity(limits, sweep.max_parallel, devices, DeviceLocks())


def require_fit(sweep: Sweep, capacity: Capacity) -> None:
    """Raise InvalidSweep where some session could never run, instead of letting it wait for ever."""
    where = "this machine" if sweep.backend.kind == "local" else f"backend `{sweep.backend.kind}`"
    hint = f"that is what `capacity` or {where} offers; `--capacity` says otherwise"
    if misfits := list(check_fits(sweep, capacity.fits_ever, hint)):
        raise InvalidSweep(sweep.source, misfits)


def check_choice(sweep: Sweep) -> None:
    """Raise InvalidSweep or InvalidInput where the sweep asks for a backend, or an option of one, that there is not."""
    choice = sweep.backend
    if choice.kind not in BACKENDS:
        near = nearest(choice.kind, BACKENDS)
        hint = f"did you mean `{near}`?" if near else f"there is {', '.join(f'`{name}`' for name in BACKENDS)}"
        message = f"unknown backend `{choice.kind}`"
        if choice.span is None:
            raise InvalidInput(message, hint)
        raise InvalidSweep(sweep.source, [Problem(message, choice.span, hint)])
    unknown = sorted(set(choice.options) - OPTIONS[choice.kind])
    if unknown:
        message = f"backend `{choice.kind}` has no option `{unknown[0]}`"
        likely = nearest(unknown[0], OPTIONS[choice.kind])
        advice = f"did you mean `{likely}`?" if likely else None
        raise InvalidSweep(sweep.source, [Problem(message, choice.span, advice)])
    if choice.kind in PROBLEMS and (problems := list(PROBLEMS[choice.kind](sweep))):
        raise InvalidSweep(sweep.source, problems)
