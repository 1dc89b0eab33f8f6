"""What a merge has staged and its journal knows of: put into place by the merge itself, or by the next one to write."""

from __future__ import annotations

import os
from pathlib import Path

from runner.state.fs import guarded, remove
from runner.state.journal import Journal

STAGE = "merge"
PARTS = ("logs", "output", "builds")


def put_into_place(folder: Path, journal: Journal) -> None:
    """Put the stage of the state in `folder`, which is held, into place if its merge came to its end, and remove it. An empty
    file says that there is none any more.
    """
    stage = folder / STAGE
    if not os.path.lexists(stage):
        return
    with guarded(stage):
        if journal.has_merged(_token(stage)):
            for part in PARTS:
                for name in os.listdir(stage / part):
                    place = folder / part / name
                    if place.is_dir():
                        remove(place)
                    os.replace(stage / part / name, place)
                    if place.is_file() and place.stat().st_size == 0:
                        place.unlink()
            (stage / "token").unlink()  # from here on it is no more than what is to be removed
        remove(stage)


def _token(stage: Path) -> str:
    try:
        return (stage / "token").read_text()
    except FileNotFoundError:
        return ""
