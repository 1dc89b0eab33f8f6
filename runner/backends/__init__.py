"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from runner.backends.backendai import config as backendai
from runner.backends.base import Backend

Open = Callable[[Mapping[str, Any], Mapping[str, str]], AbstractAsyncContextManager[Backend]]
"""Opens a backend with its options from the file and the caller's environment."""


def _local(options: Mapping[str, Any], environ: Mapping[str, str]) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.local.backend import LocalBackend

    return LocalBackend(environ)


def _backendai(options: Mapping[str, Any], environ: Mapping[str, str]) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.backendai.backend import BackendAI

    return BackendAI(options, environ)


BACKENDS: Mapping[str, Open] = {"local": _local, "backend.ai": _backendai}

OPTIONS: Mapping[str, frozenset[str]] = {"local": frozenset(), "backend.ai": backendai.OPTIONS}
"""What `backend: {kind: …}` may say besides, for each kind."""
