"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from runner.backends.base import Backend, Finding
from runner.diagnostics import Problem
from runner.sweep import Sweep

Open = Callable[[Mapping[str, Any], Mapping[str, str]], AbstractAsyncContextManager[Backend]]
"""Opens a backend with its options from the file and the caller's environment."""


def _local(options: Mapping[str, Any], environ: Mapping[str, str]) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.local.backend import LocalBackend

    return LocalBackend(environ)


def _backendai(options: Mapping[str, Any], environ: Mapping[str, str]) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.backendai.backend import BackendAI

    return BackendAI(options, environ)


BACKENDS: Mapping[str, Open] = {"local": _local, "backend.ai": _backendai}


def _backendai_problems(sweep: Sweep) -> Iterator[Problem]:
    from runner.backends.backendai.check import problems

    return problems(sweep)


PROBLEMS: Mapping[str, Callable[[Sweep], Iterator[Problem]]] = {"backend.ai": _backendai_problems}
"""What of a sweep a backend could never carry out, for those that have limits of their own. Asks nobody."""


def _local_findings(options: Mapping[str, Any], environ: Mapping[str, str], image: str | None) -> Iterable[Finding]:
    from runner.backends.local.enforcement import describe

    return describe(environ)


def _backendai_findings(options: Mapping[str, Any], environ: Mapping[str, str], image: str | None) -> Iterable[Finding]:
    import trio

    from runner.backends.backendai.health import examine

    return trio.run(examine, options, environ, image)


FINDINGS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, str], str | None], Iterable[Finding]]] = {
    "local": _local_findings,
    "backend.ai": _backendai_findings,
}
"""What `runner doctor` says of a backend, with its options, the caller's environment, and an image to ask about, if any."""
