"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from runner.backends.base import Backend, Finding
from runner.config.sweep import Sweep
from runner.diagnostics import Problem

Open = Callable[[Mapping[str, Any], Mapping[str, str], Path], AbstractAsyncContextManager[Backend]]
"""Opens a backend, from its options in the file, the caller's environment, and a folder in the state.

The backend creates the folder if it needs one, for what a later runner has to know about its jobs.
"""


def _local(
    options: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.local.backend import LocalBackend

    return LocalBackend(environ)


def _backendai(
    options: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.backendai.backend import BackendAI

    return BackendAI(options, environ)


def _slurm(
    options: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.slurm.backend import SlurmBackend

    return SlurmBackend(options, environ, folder)


BACKENDS: Mapping[str, Open] = {"local": _local, "backend.ai": _backendai, "slurm": _slurm}


ENFORCES_MAX_PARALLEL = frozenset(("slurm",))
"""Backends that enforce `max_parallel` themselves, given as an option of theirs."""


UPLOADS = frozenset(("backend.ai",))
"""Backends that send the inputs with each attempt, whose files on this machine no job reads."""


def _backendai_problems(sweep: Sweep) -> Iterator[Problem]:
    from runner.backends.backendai.validation import problems

    return problems(sweep)


def _slurm_problems(sweep: Sweep) -> Iterator[Problem]:
    from runner.backends.slurm.validation import problems

    return problems(sweep)


PROBLEMS: Mapping[str, Callable[[Sweep], Iterator[Problem]]] = {
    "backend.ai": _backendai_problems,
    "slurm": _slurm_problems,
}
"""The problems of a sweep at a backend with limits of its own. Found without a connection to it."""


Examine = Callable[[Mapping[str, Any], Mapping[str, str], str | None, Path], Iterable[Finding]]
"""What `runner doctor` shows of a backend, from its options, the caller's environment, an image to look up (or None), and
the folder of the state."""


def _local_findings(
    options: Mapping[str, Any], environ: Mapping[str, str], image: str | None, folder: Path
) -> Iterable[Finding]:
    from runner.backends.local.doctor import describe

    return describe(environ)


def _backendai_findings(
    options: Mapping[str, Any], environ: Mapping[str, str], image: str | None, folder: Path
) -> Iterable[Finding]:
    import trio

    from runner.backends.backendai.doctor import examine

    return trio.run(examine, options, environ, image)


def _slurm_findings(
    options: Mapping[str, Any], environ: Mapping[str, str], image: str | None, folder: Path
) -> Iterable[Finding]:
    import trio

    from runner.backends.slurm.doctor import examine

    return trio.run(examine, options, environ, folder)


FINDINGS: Mapping[str, Examine] = {
    "local": _local_findings,
    "backend.ai": _backendai_findings,
    "slurm": _slurm_findings,
}
