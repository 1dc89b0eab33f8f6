"""The file's options for Slurm, and what they and a session's resources mean to `sbatch`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.backends.base import Rejected
from runner.model import Attempt

_SIMPLE_OPTIONS = ("partition", "account", "qos", "constraint")

RESERVED_OPTIONS = (
    "array",
    "job-name",
    "output",
    "error",
    "wrap",
    "export",
    "export-file",
    "parsable",
    "test-only",
    "wait",
    "chdir",
)
"""Options of `sbatch` that runner sets itself."""

RESERVED_SHORT_OPTIONS = "aJoeWD"

_TIME_MARGIN = 60.0
"""Seconds by which Slurm's time limit exceeds the one that the wrapper enforces."""

_PASSED_VARIABLES = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SLURM_CONF",
    "SLURM_CLUSTERS",
    "SLURM_JWT",
    *(f"SBATCH_{name}" for name in ("ACCOUNT", "PARTITION", "QOS", "CONSTRAINT", "RESERVATION", "TIMELIMIT")),
)


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """The options of the backend `slurm`."""

    arguments: tuple[str, ...]
    """Passed to each `sbatch`."""
    setup: str
    """Shell commands that run before each session."""
    pack: int
    """Sessions that share an array task."""
    max_parallel: int | None
    """Tasks that may run at once; None: no limit."""
    gres: Mapping[str, str]
    """The cluster's names of generic resources, by the names in the file."""
    licenses: Mapping[str, str]
    """The cluster's names of licenses, by the names in the file."""


def parse_options(options: Mapping[str, Any]) -> SlurmOptions:
    """Read the options of a file that fits the schema."""
    simple = [f"--{name}={options[name]}" for name in _SIMPLE_OPTIONS if options.get(name)]
    return SlurmOptions(
        arguments=(*simple, *(str(option) for option in options.get("options", ()))),
        setup=str(options.get("setup") or ""),
        pack=int(options.get("pack") or 1),
        max_parallel=options.get("max_parallel"),
        gres={"gpu": "gpu"} | {str(name): str(there) for name, there in (options.get("gres") or {}).items()},
        licenses={str(name): str(there) for name, there in (options.get("licenses") or {}).items()},
    )


def arguments(options: SlurmOptions, attempt: Attempt) -> tuple[str, ...]:
    """The arguments of `sbatch` for an attempt. The file's own options come last, so that they win. Raises Rejected."""
    return (*_resources(options, attempt), *_time_limit(options, attempt), *options.arguments)


def _resources(options: SlurmOptions, attempt: Attempt) -> Iterator[str]:
    wanted = {name: amount for name, amount in attempt.resources.items() if amount}
    if cpu := wanted.get("cpu"):
        yield f"--cpus-per-task={math.ceil(cpu)}"
    if mem := wanted.get("mem"):
        yield f"--mem={math.ceil(mem / 1024)}K"
    for option, names in (("gres", options.gres), ("licenses", options.licenses)):
        named = {there: wanted[name] for name, there in names.items() if name in wanted}
        for there, amount in named.items():
            if amount % 1:
                raise Rejected(f"Slurm has no fractions of `{there}`: {float(amount):g}")
        if named:
            yield f"--{option}=" + ",".join(f"{there}:{amount}" for there, amount in named.items())


def _time_limit(options: SlurmOptions, attempt: Attempt) -> Iterator[str]:
    if attempt.timeout is not None:
        seconds = options.pack * (attempt.timeout + attempt.grace) + _TIME_MARGIN
        yield f"--time={math.ceil(seconds / 60)}"


def job_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the caller's environment that Slurm's commands and the jobs get."""
    return {name: value for name, value in environ.items() if name in _PASSED_VARIABLES}
