"""Slurm's own commands. What they say when they do not do as told: for good, or for now."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

import trio

from runner.errors import EnvironmentFailed

_FOR_NOW = re.compile(
    "unable to contact|socket timed out|temporarily unable|temporarily unavailable|connection refused|zero bytes"
    "|transport endpoint|standby mode|unexpected message|slurm_persist_conn_open|communication connection failure"
    "|connection failure|connection timed out",
    re.IGNORECASE,
)
_NOWHERE = re.compile("configuration source", re.IGNORECASE)
_FULL = re.compile("submit limit|MaxSubmit|job/user limit", re.IGNORECASE)

_PREFIX = re.compile(r"^\w+: (error: )?(Batch job submission failed: )?")


class Refused(Exception):
    """For good. `words` are Slurm's own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Full(Refused):
    """A limit of how many jobs somebody may have there. With fewer it may work."""


class Unreachable(Exception):
    """For now: whoever should answer does not. What was asked for may have been done all the same."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Unconfigured(Unreachable):
    """The command does not know where to ask: a fault of this machine, unless that is what the controller tells it."""


async def call(environ: Mapping[str, str], *command: str, seconds: float) -> str:
    """What the command prints. Raises Refused, Unreachable, or EnvironmentFailed where there is no such command."""
    done = None
    try:
        with trio.move_on_after(seconds):
            done = await trio.run_process(
                command, capture_stdout=True, capture_stderr=True, check=False, env=environ, stdin=subprocess.DEVNULL
            )
    except FileNotFoundError as error:
        hint = "run it where Slurm's commands are: on a login node of the cluster"
        raise EnvironmentFailed(f"there is no `{command[0]}` on this machine", hint) from error
    if done is None:
        raise Unreachable(f"`{command[0]}` gave no answer within {seconds:g} s")
    words = " ".join(done.stderr.decode(errors="replace").split())
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    words = _PREFIX.sub("", words).rstrip(".") or f"`{command[0]}` failed with exit code {done.returncode}"
    if _NOWHERE.search(words):
        raise Unconfigured(f"`{command[0]}` finds no configuration of Slurm here")
    if _FOR_NOW.search(words):
        raise Unreachable(words)
    raise Full(words) if _FULL.search(words) else Refused(words)
