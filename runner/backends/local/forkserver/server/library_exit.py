"""Whether the libraries of a process leave anything to be done at its end, and whether it has loaded more of them.

Most do not, and to ask each of a hundred costs more than the whole session; one that keeps data back, as HDF5 does, must be
asked. A GPU's driver is not among those that are known here: with it, the libraries above it are asked as well.
"""

from __future__ import annotations

import os
import re
import sys
import weakref

_QUIET = re.compile(
    r"(ld-linux.*|ld-musl.*|lib(c|m|dl|rt|util|pthread|nss_.*|resolv|crypt|ffi|z|bz2|lzma|expat|uuid|ssl|crypto|tinfo.*"
    r"|ncurses.*|readline|gcc_s|gomp|stdc\+\+|gfortran|quadmath|python3.*|(scipy_)?openblas.*)(-[-0-9a-f.]+)?\.so[0-9.]*)"
)
"""Files of libraries that do nothing at their end but for themselves."""

_PACKAGES = re.compile(r"/(lib-dynload|site-packages/(numpy|scipy|sklearn|torch|nvidia|cuda))/")
"""Where those are that only free their own memory."""

_IDLE = {("torch.library", "_del_library")}
"""Finalizers, by module and name, that do nothing else: these take back some thousand operators, one by one."""


def call_off() -> None:
    """Have no fork call the finalizers of preloaded modules that only free their memory."""
    for finalizer, about in weakref.finalize._registry.items():  # type: ignore[attr-defined]
        if (getattr(about.func, "__module__", None), getattr(about.func, "__name__", None)) in _IDLE:
            finalizer.atexit = False


def nothing_to_do() -> bool:
    """Whether all libraries of this process are known to have nothing to do at its end."""
    with open("/proc/self/maps") as maps:
        paths = {line.split(None, 5)[5].rstrip("\n") for line in maps if line.count("/") and " r-xp " in line}
    interpreter = os.path.realpath(sys.executable)
    return all(
        path == interpreter or _PACKAGES.search(path) or _QUIET.fullmatch(os.path.basename(path)) for path in paths
    )


def loaded() -> bytes:
    """How much of its memory is libraries' code, as text: it changes with each that is loaded."""
    status = os.open("/proc/self/status", os.O_RDONLY)
    text = os.read(status, 4096)
    os.close(status)
    return text[text.find(b"VmLib:") :].partition(b"\n")[0]
