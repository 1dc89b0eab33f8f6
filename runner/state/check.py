"""Check the journal of a state, and salvage it if it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.errors import Damaged, EnvironmentFailed
from runner.state import damage, database, lock
from runner.state.salvage import Salvaged, salvage


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check.

    misses_wal: whether what a dead runner has recorded last is missing. fault: the first fault, None if the journal is sound.
    salvaged: what was saved of a damaged one.
    """

    misses_wal: bool = False
    fault: str | None = None
    salvaged: Salvaged | None = None


def check(folder: Path) -> Checked:
    """Check the journal of the state in `folder`. Raises EnvironmentFailed, also if the state is held."""
    path = folder / "journal.db"
    with lock.hold(folder) as held:
        missing = held.wal and path.exists() and not path.with_name("journal.db-wal").exists()
        fault = _fault(path)
        checked = Checked(missing) if fault is None else Checked(missing, fault, salvage(path))
        held.wal = False
        return checked


def _fault(path: Path) -> str | None:
    try:
        connection = database.for_reading(path)
    except Damaged as error:
        return error.message.partition(": ")[2] or error.message
    if connection is None:
        raise EnvironmentFailed(f"`{path}` is missing", "put it back, or move its folder away to start again")
    try:
        return next(iter(damage.faults(connection)), None)
    finally:
        connection.close()
