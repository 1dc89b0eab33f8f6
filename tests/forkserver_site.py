"""A local backend on which every Python program is forked, and how a test runs programs on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.backends.base import Backend
from runner.backends.local.backend import LocalBackend
from runner.model import Attempt, AttemptEnd, Outcome
from tests.contract import Command, Site, ignore


@dataclass(frozen=True)
class ForkSite(Site):
    """`preload` are the modules of every attempt whose command starts with this interpreter."""

    preload: tuple[str, ...] = ("json",)

    def attempt(self, command: Command, name: str = "contract-1", **env: str) -> Attempt:
        attempt = super().attempt(command, name, **env)
        if isinstance(command, str):
            return attempt
        return replace(attempt, preload=self.preload) if command[0] == sys.executable else attempt


def fork_site(folder: Path, *modules: str) -> ForkSite:
    """Return a site with this working directory and these preloaded modules, `json` if there are none."""
    return ForkSite(
        lambda: LocalBackend(os.environ),
        folder,
        succeeding=python("pass"),
        failing=python("raise SystemExit(3)"),
        sleeping=python("import time; time.sleep(1000)"),
        preload=modules or ("json",),
    )


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs this code."""
    return (sys.executable, "-c", code, *arguments)


def module(folder: Path, name: str, text: str) -> dict[str, str]:
    """Write a module where only PYTHONPATH finds it; return the environment that has it found."""
    library = folder / "library"
    library.mkdir(exist_ok=True)
    (library / f"{name}.py").write_text(text)
    return {"PYTHONPATH": str(library)}


def run_all(site: Site, attempts: Sequence[Attempt]) -> tuple[list[AttemptEnd], list[str | None]]:
    """Run the attempts one after the other; return their ends and why each started cold, None if it was forked."""

    async def body(backend: Backend) -> tuple[list[AttemptEnd], list[str | None]]:
        ends, cold = [], []
        for attempt in attempts:
            job = await backend.submit(attempt)
            cold.append((await backend.started(job, ignore)).cold)
            ends.append(await backend.wait(job))
        return ends, cold

    return site.run(body)


def outputs(site: Site, attempts: Sequence[Attempt], cold: bool = False) -> list[str]:
    """Run the attempts and return what each writes to stdout; all must succeed, and be forked unless `cold`."""
    ends, reasons = run_all(site, attempts)
    assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}
    assert all((reason is not None) is cold for reason in reasons), reasons
    return [site.stdout(attempt) for attempt in attempts]
