"""The origin of an apply: host, user, process, and the git commit of the sweep's folder."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIT_SECONDS = 5.0
"""Timeout of git. The commit of a repository on a slow disk is unknown."""


@dataclass(frozen=True, slots=True)
class Provenance:
    host: str
    user: str
    pid: int
    commit: str | None
    dirty: bool | None
    """Whether tracked files differ from the commit; None if there is no commit."""


def gather(folder: Path) -> Provenance:
    """Ask the system and git. Never raises: what cannot be found out is None."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    return Provenance(socket.gethostname(), user, os.getpid(), commit, None if changes is None else bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
