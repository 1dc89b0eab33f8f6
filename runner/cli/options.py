"""What several commands share: the sweep they are given, the state it has, and how their words are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.backends import BACKENDS, ENFORCES_MAX_PARALLEL, PROBLEMS
from runner.cli.console import say
from runner.config.checks import check_fits
from runner.config.fields import BackendChoice, amount
from runner.config.load import load
from runner.config.shell_checks import check_shell_names
from runner.config.sweep import Sweep
from runner.config.yaml import ScalarNode, parse, read
from runner.diagnostics import InvalidSweep, Problem, Source, nearest, render
from runner.errors import InvalidInput
from runner.executor.capacity import Capacity
from runner.model import Amount, Stop, Value
from runner.plan.plan import Plan, parse_selection
from runner.scalars import equal
from runner.state import State, open_for_reading
from runner.state.rows import ApplyRow
from runner.units import UnitError

F = TypeVar("F", bound=Callable[..., Any])

MOST_DEVICES = 4096
"""GPUs of one machine: more is a slip of the finger, and each gets a name and a lock."""


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
            for part in text.split(","):
                for name, value in parse_selection(part, self.sweep.space.names).items():
                    known = condition.setdefault(name, value)
                    if not equal(known, value):
                        raise InvalidInput(
                            f"no session has both `{name}={known.text}` and `{name}={value.text}`",
                            "a session is selected if it has all of the values; select one value at a time",
                        )
        return condition or None


def load_sweep(file: str) -> Sweep:
    """Read and check a sweep file, and show its warnings. Raises InvalidSweep with all of its problems."""
    source = read(file)
    sweep = load(source, Path(file).absolute().parent if file != "-" else Path.cwd())
    show_warnings(sweep)
    return sweep


def show_warnings(sweep: Sweep) -> None:
    if sweep.warnings:
        say(render(sweep.source, sweep.warnings) + "\n")


def given(sweep: Sweep) -> Given:
    return Given(sweep, Plan.of(sweep))


@contextmanager
def given_with_state(file: str, directory: Path | None) -> Iterator[tuple[Given, State | None]]:
    """A sweep and its state; where the file is no longer valid, the sweep as it was last applied.

    Raises InvalidInput if there is neither.
    """
    fault: InvalidInput | None = None
    try:
        this = given(load_sweep(file))
    except InvalidInput as error:
        if file == "-":
            raise
        fault = error
        folder, name = Path(file).absolute().parent, _name(file)
    else:
        folder, name = this.sweep.folder, this.sweep.name
    with open_for_reading(folder, name, directory) as opened:
        if fault is not None:
            last = opened.journal.last_apply() if opened else None
            recalled = as_applied(last, folder) if last else None
            if recalled is None:
                raise fault
            this = recalled
            say(f"warning: {fault.message}: `{file}` is taken as it was last applied")
        yield this, opened


def as_applied(apply: ApplyRow, folder: Path) -> Given | None:
    """The sweep of an earlier or running apply, with the ids that its sessions have; None if it cannot be read any more."""
    try:
        return Given(sweep := load(Source(f"{apply.sweep}.yaml", apply.text), folder), Plan(sweep, apply.recipe))
    except InvalidInput:
        return None


def _name(file: str) -> str:
    """The name of a sweep whose file is wrong otherwise, or gone."""
    try:
        document, _ = parse(read(file))
    except InvalidInput:
        document = None
    named = document.get("name") if document else None
    return named.value.text if isinstance(named, ScalarNode) else Path(file).stem


def is_session(text: str) -> bool:
    """Whether an argument can only mean a session: an id, the beginning of one, or values."""
    return "=" in text or re.fullmatch("[0-9a-fA-F]{1,16}", text) is not None


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
    return _limited_there(sweep)


def _limited_there(sweep: Sweep) -> Sweep:
    """Where the backend can keep `max_parallel` it gets all sessions at once; not where we decide what comes next by more."""
    at_once, there = sweep.max_parallel, sweep.backend
    if at_once is None or there.kind not in ENFORCES_MAX_PARALLEL or sweep.capacity or sweep.policy.stop is not None:
        return sweep
    return replace(sweep, max_parallel=None, backend=replace(there, options={**there.options, "max_parallel": at_once}))


def parse_capacity(text: str) -> dict[str, Amount]:
    """`cpu=8,mem=16g`. Raises InvalidInput."""
    found: dict[str, Amount] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not name or not value:
            fault = (
                f"`{part}` in `--capacity` is not `RESOURCE=AMOUNT`" if part.strip() else "`--capacity` lacks an amount"
            )
            raise InvalidInput(fault, "write `--capacity cpu=8,mem=16g`")
        if name in found:
            raise InvalidInput(f"`--capacity` names `{name}` twice")
        try:
            found[name] = amount(name, Value(value, value))
        except UnitError as error:
            raise InvalidInput(f"`{name}` in `--capacity`: {error.message}", error.hint) from error
    return found


def capacity_of(sweep: Sweep) -> Capacity:
    """How much may be in use at once: what the sweep says, and for the local backend what this machine offers besides."""
    if sweep.backend.kind != "local":
        return Capacity(sweep.capacity, sweep.max_parallel, kept_there=sweep.backend.options.get("max_parallel"))
    from runner.backends.local.gpu_locks import GpuLocks, user_folder
    from runner.backends.local.resources import machine_resources

    machine = machine_resources(os.environ)
    limits: dict[str, Amount] = {
        "cpu": machine.cpu,
        "mem": machine.mem,
        "gpu": len(machine.gpus),
        **sweep.capacity,
    }
    if not machine.gpus and limits["gpu"] > MOST_DEVICES:
        raise InvalidInput(f"a capacity of {limits['gpu']:,} `gpu` is more than the {MOST_DEVICES:,} that are possible")
    devices = machine.gpus or tuple(str(index) for index in range(int(limits["gpu"])))
    return Capacity(limits, sweep.max_parallel, devices, GpuLocks(user_folder()))


def require_fit(sweep: Sweep, capacity: Capacity) -> None:
    """Raise InvalidSweep where some session could never run, instead of letting it wait for ever."""
    where = "this machine" if sweep.backend.kind == "local" else f"backend `{sweep.backend.kind}`"
    hint = f"that is what `capacity` or {where} offers; `--capacity` says otherwise"
    if problems := [*check_fits(sweep, capacity.fits_ever, hint), *check_shell_names(sweep, os.environ)]:
        raise InvalidSweep(sweep.source, problems)


def check_choice(sweep: Sweep) -> None:
    """Raise InvalidSweep or InvalidInput where the sweep asks for a backend that there is not, or for what it cannot do."""
    choice = sweep.backend
    if choice.kind not in BACKENDS:
        near = nearest(choice.kind, BACKENDS)
        hint = f"did you mean `{near}`?" if near else f"there is {', '.join(f'`{name}`' for name in BACKENDS)}"
        message = f"unknown backend `{choice.kind}`"
        if choice.span is None:
            raise InvalidInput(message, hint)
        raise InvalidSweep(sweep.source, [Problem(message, choice.span, hint)])
    if choice.kind in PROBLEMS and (problems := list(PROBLEMS[choice.kind](sweep))):
        raise InvalidSweep(sweep.source, problems)
