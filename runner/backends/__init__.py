"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from runner.backends.base import Backend

Open = Callable[[Mapping[str, Any], Mapping[str, str]], AbstractAsyncContextManager[Backend]]
"""Opens a backend with its options from the file and the caller's environment."""


def _local(options: Mapping[str, Any], environ: Mapping[str, str]) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.local.backend import LocalBackend

    return LocalBackend(environ)


BACKENDS: Mapping[str, Open] = {"local": _local}

OPTIONS: Mapping[str, frozenset[str]] = {"local": frozenset()}
"""What `backend: {kind: …}` may say besides, for each kind."""
