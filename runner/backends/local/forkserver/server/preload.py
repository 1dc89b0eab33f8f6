"""Import the modules that sessions share, and check that a process with them can be forked."""

from __future__ import annotations

import importlib
import os
import sys
import time
import warnings

from runner.backends.local.forkserver.server.protocol import UnfitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_THREAD_EXIT_TIMEOUT = 0.5
"""Seconds that a thread may take to end once it was asked to."""

_GPU_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")


def preload(modules: list[str]) -> list[bytes]:
    """Import the modules; return the environment variables that they have looked up or set. Raises UnfitError."""
    if sys.implementation.name != "cpython" or sys.version_info < (3, 9):
        version = sys.version.partition(" ")[0]
        raise UnfitError(f"the interpreter is {sys.implementation.name} {version}, not CPython 3.9 or newer")
    recorder = _EnvironRecorder(os.environ._data)  # type: ignore[attr-defined]
    os.environ._data = os.environb._data = recorder  # type: ignore[attr-defined]
    for name in modules:
        _import(name)
        _check(name)
    if "numpy" in sys.modules:  # numpy imports it at its first use, which would be once for each session
        _import("numpy.random")
    os.environ._data = os.environb._data = dict(dict.items(recorder))  # type: ignore[attr-defined]
    return sorted(recorder.used)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except BaseException as error:
        text = str(error).partition("\n")[0]
        raise UnfitError(f"`{name}` cannot be imported: {type(error).__name__}{': ' if text else ''}{text}") from None


def _check(name: str) -> None:
    """Raise UnfitError if this process has threads, which a fork does not copy, or a GPU, whose driver refuses forks."""
    for file in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink("/proc/self/fd/" + file)
        except OSError:
            continue
        if is_gpu(path):
            raise UnfitError(f"`{name}` opens the GPU (`{path}`) when it is imported")
    if _threads() > 1 and not _fork_ends_threads():
        raise UnfitError(f"`{name}` starts a thread when it is imported")


def is_gpu(path: str) -> bool:
    """Return whether the path is that of a GPU's device file."""
    return path.startswith(_GPU_DEVICES)


def _fork_ends_threads() -> bool:
    """Return whether a fork ends all other threads. The handler of OpenBLAS does; it restarts them when it needs them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns about a fork while there are threads
        pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + _THREAD_EXIT_TIMEOUT
    while _threads() > 1:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


class _EnvironRecorder(dict):  # type: ignore[type-arg]
    """The content of `os.environ`, which records what is looked up or set in it.

    A copy of `os.environ` looks up every name in order; this is not recorded, since the module decides nothing by it.
    """

    def __init__(self, content: dict[bytes, bytes]) -> None:
        super().__init__(content)
        self.used: set[bytes] = set()
        self._copied: Iterator[bytes] = iter(())

    def __iter__(self) -> Iterator[bytes]:
        self._copied = iter(list(super().__iter__()))
        return iter(list(super().__iter__()))

    def __getitem__(self, name: bytes) -> bytes:
        if next(self._copied, None) != name:
            self._copied = iter(())
            self.used.add(name)
        return super().__getitem__(name)  # type: ignore[no-any-return]

    def __setitem__(self, name: bytes, value: bytes) -> None:
        self.used.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: bytes) -> None:
        self.used.add(name)
        super().__delitem__(name)
