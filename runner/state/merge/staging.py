"""Move the staged files of a committed merge into place: by the merge itself, or by the next writer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runner.state.folders import open_file
from runner.state.fs import guarded, remove
from runner.state.journal import Journal

STAGE = "merge"
PARTS = ("logs", "output", "builds")


def put_into_place(folder: Path, journal: Journal) -> None:
    """Move the stage of the state in `folder`, which is held, into place if its merge was committed; then remove the stage.

    An empty staged file removes the file of its name.
    """
    stage = folder / STAGE
    if not os.path.lexists(stage):
        return
    with guarded(stage):
        if journal.has_merged(_token(stage)):
            for part in PARTS:
                for name in os.listdir(stage / part):
                    target = folder / part / name
                    if target.is_dir():
                        remove(target)
                    os.replace(stage / part / name, target)
                    about = target.lstat()
                    if stat.S_ISREG(about.st_mode) and about.st_size == 0:
                        target.unlink()
            (stage / "token").unlink()  # everything is in place: the rest is only to be removed
        remove(stage)


def _token(stage: Path) -> str:
    try:
        with open(open_file(stage / "token"), "rb") as file:
            return file.read(100).decode(errors="replace")
    except FileNotFoundError:
        return ""
