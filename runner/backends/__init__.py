"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from runner.backends.backendai import config as backendai
from runner.backends.base import Backend
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

OPTIONS: Mapping[str, frozenset[str]] = {"local": frozenset(), "backend.ai": backendai.OPTIONS}
"""What `backend: {kind: …}` may say besides, for each kind."""
