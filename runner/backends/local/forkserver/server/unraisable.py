"""What the interpreter reports and goes on from, in its own words: through `sys.unraisablehook`, without frames of ours."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


def report(error: BaseException, message: str | None = None, where: object = None) -> None:
    """With `message`, else the name of `where`, above it; neither leaves that line out."""
    hook = getattr(sys, "unraisablehook", None) or sys.__unraisablehook__
    try:
        hook(_arguments(error, message, where))
    except BaseException as instead:
        if hook is not sys.__unraisablehook__:
            sys.__unraisablehook__(_arguments(instead, "Exception ignored in sys.unraisablehook", hook))


def outside(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without our own frames, which are its first."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    return trace


def _kind() -> Any:
    """What a hook is called with, which has no name to be found by."""

    class Fails:
        def __del__(self) -> None:
            raise ValueError

    kinds: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda arguments: kinds.append(type(arguments))
    Fails()
    sys.unraisablehook = before
    return kinds[0]


_Arguments = _kind()


def _arguments(error: BaseException, message: str | None, where: object) -> Any:
    return _Arguments((type(error), error, outside(error.__traceback__), message, where))
