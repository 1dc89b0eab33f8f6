"""The import of what sessions share, and what in it makes a fork unlike a fresh interpreter."""

from __future__ import annotations

import importlib
import os
import sys
import time
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LINGER = 0.5
"""Seconds in which a thread that has been told to end does so."""


class UnfitError(Exception):
    """Why no session can be forked from this process; for people, without a full stop."""


def preload(modules: list[str]) -> tuple[list[bytes], set[bytes]]:
    """Import them; the environment variables that were looked at meanwhile, and those that were set. Raises UnfitError."""
    if sys.implementation.name != "cpython" or sys.version_info < (3, 8):
        raise UnfitError(f"{sys.version.split()[0]} of {sys.implementation.name} is not CPython 3.8 or newer")
    seen: set[Any] = set()
    written: set[Any] = set()
    with _Watch(seen, written):
        for name in modules:
            _import(name)
            _check(name)
    return sorted(seen), written


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except BaseException as error:
        text = str(error).partition("\n")[0]
        raise UnfitError(f"`{name}` cannot be imported: {type(error).__name__}{': ' if text else ''}{text}") from None


def _check(name: str) -> None:
    """Threads are not in a fork, and what they were doing stays half done; a GPU's driver refuses forks."""
    threading = sys.modules.get("threading")
    if threading is not None:
        others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
        if others:
            raise UnfitError(f"`{name}` starts a thread (`{others[0].name}`) when it is imported")
    if device := gpu():
        raise UnfitError(f"`{name}` opens the GPU (`{device}`) when it is imported")
    if _threads() > 1 and not _left_alone():
        raise UnfitError(f"`{name}` starts threads of its own, outside Python, when it is imported")


def gpu(files: str = "/proc/self/fd") -> str | None:
    """The first GPU among the open files of this process."""
    for file in os.listdir(files):
        try:
            path = os.readlink(files + "/" + file)
        except OSError:
            continue
        if path.startswith(("/dev/nvidia", "/dev/kfd", "/dev/dri/")):
            return path
    return None


def _left_alone() -> bool:
    """Whether a fork ends all other threads, as the handlers of OpenBLAS do, which starts them again when it needs them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from 3.12 on, of the very threads that are looked for
        pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    patience = time.monotonic() + _LINGER
    while _threads() > 1:
        if time.monotonic() > patience:
            return False
        time.sleep(0.001)
    return True


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


class _Recorder(dict):  # type: ignore[type-arg]
    """The content of os.environ, which notes what is looked up and set in it; to copy all of it is to look up nothing."""

    def __init__(self, content: dict[Any, Any], seen: set[Any], written: set[Any]) -> None:
        super().__init__(content)
        self._seen = seen
        self._written = written
        self._copied: list[Any] = []

    def __iter__(self) -> Any:
        self._copied = list(super().__iter__())
        return iter(list(self._copied))

    def __getitem__(self, name: Any) -> Any:
        if self._copied and self._copied[0] == name:
            del self._copied[0]
        else:
            self._copied = []
            self._seen.add(name)
        return super().__getitem__(name)

    def __setitem__(self, name: Any, value: Any) -> None:
        self._written.add(name)
        super().__setitem__(name, value)


class _Watch:
    """Notes the names that are looked up in os.environ, as a library has decided something by their values, and those set."""

    def __init__(self, seen: set[Any], written: set[Any]) -> None:
        self._seen = seen
        self._written = written

    def __enter__(self) -> None:
        self._set(_Recorder(os.environ._data, self._seen, self._written))  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        self._set(dict(dict.items(os.environ._data)))  # type: ignore[attr-defined]

    def _set(self, content: dict[Any, Any]) -> None:
        os.environ._data = os.environb._data = content  # type: ignore[attr-defined]
