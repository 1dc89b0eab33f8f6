"""What the file's options and a session's resources mean to `sbatch`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.backends.base import Rejected
from runner.model import Attempt

_PLACES = ("partition", "account", "qos", "constraint")

OURS = (
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
"""What of `sbatch` is not for `options`: runner says it."""

OURS_SHORT = "aJoeWD"

_NET = 60.0
"""Seconds that Slurm gives a job beyond what its wrapper allows."""

_KEPT = (
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
"""What of the caller's environment a job sees. Programs that lie in shared folders are found there as here."""


@dataclass(frozen=True, slots=True)
class Config:
    """`arguments` go to each `sbatch`; `pack` sessions share an array task, and `max_parallel` tasks may run at once; `gres` and
    `licenses` name the file's custom resources as the cluster does.
    """

    arguments: tuple[str, ...]
    setup: str
    pack: int
    max_parallel: int | None
    gres: Mapping[str, str]
    licenses: Mapping[str, str]

    @property
    def says_when(self) -> bool:
        """Whether the file's own options say what its jobs wait for."""
        return any(option.startswith(("--dep", "-d")) for option in self.arguments)


def read(options: Mapping[str, Any]) -> Config:
    """The options, in the shape that the schema allows."""
    places = [f"--{name}={options[name]}" for name in _PLACES if options.get(name)]
    return Config(
        arguments=(*places, *(str(option) for option in options.get("options", ()))),
        setup=str(options.get("setup") or ""),
        pack=int(options.get("pack") or 1),
        max_parallel=options.get("max_parallel"),
        gres={"gpu": "gpu"} | {str(name): str(there) for name, there in (options.get("gres") or {}).items()},
        licenses={str(name): str(there) for name, there in (options.get("licenses") or {}).items()},
    )


def arguments(config: Config, attempt: Attempt) -> tuple[str, ...]:
    """What this attempt asks of `sbatch`; the file's own options come last and win. Raises Rejected."""
    return (*_resources(config, attempt), *_limit(config, attempt), *config.arguments)


def _resources(config: Config, attempt: Attempt) -> Iterator[str]:
    wanted = {name: amount for name, amount in attempt.resources.items() if amount}
    if cpu := wanted.get("cpu"):
        yield f"--cpus-per-task={math.ceil(cpu)}"
    if mem := wanted.get("mem"):
        yield f"--mem={math.ceil(mem / 1024)}K"
    for option, names in (("gres", config.gres), ("licenses", config.licenses)):
        named = {there: wanted[name] for name, there in names.items() if name in wanted}
        for there, amount in named.items():
            if amount % 1:
                raise Rejected(f"Slurm gives out whole `{there}`, not {float(amount):g}")
        if named:
            yield f"--{option}=" + ",".join(f"{there}:{amount}" for there, amount in named.items())


def _limit(config: Config, attempt: Attempt) -> Iterator[str]:
    """Slurm's own limit is the net below the one that the wrapper carries out."""
    if attempt.timeout is not None:
        seconds = config.pack * (attempt.timeout + attempt.grace) + _NET
        yield f"--time={math.ceil(seconds / 60)}"


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """What Slurm's commands see of the environment, and jobs with them. Defaults of `sbatch` itself are the caller's."""
    return {name: value for name, value in environ.items() if name in _KEPT}
