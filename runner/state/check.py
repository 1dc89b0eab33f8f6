"""Check the journal of a state, and salvage it if it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.errors import Damaged
from runner.state import damage, database, lock
from runner.state.salvage import Salvaged, salvage


@dataclass(frozen=True, slots=True)
class Checked:
    """fault: the first fault, None if the journal is sound. salvaged: what was saved of a damaged one."""

    fault: str | None = None
    salvaged: Salvaged | None = None


def check(folder: Path) -> Checked:
    """Check the journal of the state in `folder`. Raises EnvironmentFailed, also if the state is held."""
    path = folder / "journal.db"
    with lock.hold(folder):
        fault = _fault(path)
        return Checked() if fault is None else Checked(fault, salvage(path))


def _fault(path: Path) -> str | None:
    try:
        connection = database.for_reading(path)
    except Damaged as error:
        return error.message.partition(": ")[2] or error.message
    if connection is None:
        return "it is not there"
    try:
        return next(iter(damage.faults(connection)), None)
    finally:
        connection.close()
