"""Journals that earlier commits have written, as SQL: `tests/state/journals/VERSION[-WHICH].sql`, made by `make.sh` there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

JOURNALS = Path(__file__).parent / "journals"
SAMPLES = sorted(JOURNALS.glob("*.sql"))


def version(sample: Path) -> int:
    return int(sample.stem.partition("-")[0])


def restore(sample: Path, folder: Path) -> Path:
    """Make the journal of a sample in a folder. It is in WAL mode, as its runner left it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(sample.read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    return path
