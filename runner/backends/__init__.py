"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from runner.backends.base import Backend
from runner.diagnostics import InvalidSweep, Problem, nearest
from runner.errors import InvalidInput
from runner.sweep import Sweep

Open = Callable[[Mapping[str, Any], Mapping[str, str]], AbstractAsyncContextManager[Backend]]
"""Opens a backend with its options from the file and the caller's environment."""


def _local(options: Mapping[str, Any], environ: Mapping[str, str]) -> AbstractAsyncContextManager[Backend]:
    from runner.backends.local.backend import LocalBackend

    return LocalBackend(environ)


BACKENDS: Mapping[str, Open] = {"local": _local}

OPTIONS: Mapping[str, frozenset[str]] = {"local": frozenset()}
"""What `backend: {kind: …}` may say besides, for each kind."""


def check_choice(sweep: Sweep) -> None:
    """Raise InvalidSweep or InvalidInput where the sweep asks for a backend, or an option of one, that there is not."""
    choice = sweep.backend
    if choice.kind not in BACKENDS:
        near = nearest(choice.kind, BACKENDS)
        hint = (
            f"did you mean `{near}`?" if near else f"there is {', '.join(f'`{name}`' for name in BACKENDS)}"
        )
        message = f"unknown backend `{choice.kind}`"
        if choice.span is None:
            raise InvalidInput(message, hint)
        raise InvalidSweep(sweep.source, [Problem(message, choice.span, hint)])
    unknown = sorted(set(choice.options) - OPTIONS[choice.kind])
    if unknown:
        message = f"backend `{choice.kind}` has no option `{unknown[0]}`"
        raise InvalidSweep(sweep.source, [Problem(message, choice.span)])
