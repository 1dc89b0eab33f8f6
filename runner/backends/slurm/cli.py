"""Slurm's own commands, and what their failures mean: refused for good, or not answered for now."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping

import trio

from runner.backends.retry import Backoff
from runner.errors import EnvironmentFailed

LONGEST_OUTAGE, LONGEST_FIRST_OUTAGE = 3600.0, 120.0
"""Seconds for which requests are repeated; the second holds until the controller has answered once."""

CONTROLLER_AWAY = "for Slurm's controller to answer"
"""What an attempt waits for while the controller does not answer."""

COMMAND_TIMEOUT = 60.0
"""Seconds until a command without an answer counts as failed for now."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

_UNREACHABLE = re.compile(
    "unable to contact|socket timed out|temporarily unable|temporarily unavailable|connection refused|zero bytes"
    "|transport endpoint|standby mode|unexpected message|slurm_persist_conn_open|communication connection failure"
    "|connection failure|connection timed out",
    re.IGNORECASE,
)
_UNCONFIGURED = re.compile("configuration source", re.IGNORECASE)
_SUBMIT_LIMIT = re.compile("submit limit|MaxSubmit|job/user limit", re.IGNORECASE)

_PREFIX = re.compile(r"^\w+: (error: )?(Batch job submission failed: )?")


class CommandRefused(Exception):
    """Slurm refuses a command for good. `words` are Slurm's own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class SubmitLimitReached(CommandRefused):
    """A limit on the number of jobs of a user or account: a smaller array may be accepted, or the same one later."""


class Unreachable(Exception):
    """Slurm does not answer for now. It may have carried out the command all the same."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Unconfigured(Unreachable):
    """The command finds no configuration. That is a fault of this machine, unless the controller has answered before."""


async def call(environ: Mapping[str, str], *command: str, seconds: float = COMMAND_TIMEOUT) -> str:
    """Run a command once and return its stdout.

    Raises CommandRefused, Unreachable, or EnvironmentFailed if this machine does not have the command.
    """
    done = None
    try:
        with trio.move_on_after(seconds):
            done = await trio.run_process(
                command, capture_stdout=True, capture_stderr=True, check=False, env=environ, stdin=subprocess.DEVNULL
            )
    except FileNotFoundError as error:
        hint = "run it where Slurm's commands are installed: on a login node of the cluster"
        raise EnvironmentFailed(f"`{command[0]}` is not installed on this machine", hint) from error
    if done is None:
        raise Unreachable(f"`{command[0]}` gave no answer within {seconds:g} s")
    words = " ".join(done.stderr.decode(errors="replace").split())
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    words = _PREFIX.sub("", words).rstrip(".") or f"`{command[0]}` failed with exit code {done.returncode}"
    if _UNCONFIGURED.search(words):
        raise Unconfigured(f"`{command[0]}` finds no configuration of Slurm on this machine")
    if _UNREACHABLE.search(words):
        raise Unreachable(words)
    raise SubmitLimitReached(words) if _SUBMIT_LIMIT.search(words) else CommandRefused(words)


class Controller:
    """Slurm's controller, as this process reaches it: by commands in `environ`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.answered = False
        """Whether it has ever answered this process."""
        self.away = False
        """Whether the last request was not answered."""

    async def call(
        self, *command: str, seconds: float = COMMAND_TIMEOUT, variables: Mapping[str, str] | None = None
    ) -> str:
        """Run a command once, with these variables added to its environment. Returns and raises as the function `call`."""
        return await call({**self.environ, **(variables or {})}, *command, seconds=seconds)

    async def insist(
        self, *command: str, on_waiting: Callable[[str], None] | None = None, seconds: float = COMMAND_TIMEOUT
    ) -> str:
        """Run a command that may be repeated without harm until it is answered. Raises CommandRefused, EnvironmentFailed."""
        outage = Outage(self, on_waiting)
        while True:
            try:
                answer = await self.call(*command, seconds=seconds)
            except Unreachable as fault:
                await outage.wait(fault)
            else:
                outage.end()
                return answer


class Outage:
    """The time for which one request to the controller stays without an answer; `on_waiting` hears of its begin."""

    def __init__(self, controller: Controller, on_waiting: Callable[[str], None] | None = None) -> None:
        self._controller = controller
        self._on_waiting = on_waiting
        self._backoff = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)

    async def wait(self, fault: Unreachable) -> None:
        """Pause before the next try. Raises EnvironmentFailed once the outage has lasted too long."""
        answered = self._controller.answered
        if isinstance(fault, Unconfigured) and not answered:
            raise EnvironmentFailed(fault.words, "set SLURM_CONF to the path of its slurm.conf") from fault
        seconds = self._backoff.failed()
        if seconds == 0.0 and self._on_waiting is not None:
            self._on_waiting(CONTROLLER_AWAY)
        self._controller.away = True
        if seconds >= (LONGEST_OUTAGE if answered else LONGEST_FIRST_OUTAGE):
            raise EnvironmentFailed(
                f"Slurm's controller cannot be reached: {fault.words}",
                "running jobs continue, and the same command takes them up again",
            ) from fault
        await self._backoff.pause()

    def end(self) -> None:
        """The request was answered."""
        self._backoff.succeeded()
        self._controller.answered = True
        self._controller.away = False
