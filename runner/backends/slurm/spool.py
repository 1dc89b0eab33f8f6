"""What arrays need and leave on the shared folder, one folder for each array:

    names    JSON: the attempts by their places, and how many share a task; once it is there, the array may be submitted
    tasks.N  blocks of sh, one for each attempt;  plans: for packs, the same for Python;  script: what `sbatch` was given
    job      the array's id at Slurm, once it is known
    N.ask    that the attempt at place N shall end;  N.end: how it ended, written by the job itself

Jobs write their own records here and never touch the journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.backends.slurm import batch_script
from runner.backends.slurm.record import Record, parse
from runner.model import Attempt

VOID = ".void"
"""Ends the name of an array's folder that Slurm never got: what turns up of it all the same finds nothing to do."""


@dataclass(eq=False, slots=True)
class Array:
    """`name` is its job's name at Slurm, which no other has; `job` its id there, None while unknown."""

    folder: Path
    names: tuple[str, ...]
    pack: int
    job: str | None = None
    records: dict[int, Record] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def tasks(self) -> int:
        return -(-len(self.names) // self.pack)

    def id(self, place: int) -> str:
        """A job's id, once the array has one: `123_4`, or the seventh of a pack, `123_4.6`."""
        task, rest = divmod(place, self.pack)
        return f"{self.job}_{task}.{rest}" if self.pack > 1 else f"{self.job}_{task}"

    def mates(self, task: int) -> range:
        """The places that share a task."""
        return range(task * self.pack, min((task + 1) * self.pack, len(self.names)))

    def submitted(self, job: str) -> None:
        """Write down its id."""
        self.job = job
        _put(self.folder / "job", job)

    def ask(self, place: int) -> None:
        """Mark an attempt that shall end."""
        with suppress(FileNotFoundError):
            (self.folder / f"{place}.ask").touch()

    def collect(self) -> list[int]:
        """Read the records that have come since the last time; their places.

        One that says that Slurm wanted the end is not the last word: a task that Slurm puts back into its queue begins anew.
        """
        found = []
        for place in [place for place, record in self.records.items() if record.why == "slurm"]:
            del self.records[place]
        with suppress(FileNotFoundError):
            # A change of the folder has an NFS client look at it anew.
            os.utime(self.folder)
            for name in os.listdir(self.folder):
                stem, _, kind = name.partition(".")
                if kind == "end" and int(stem) not in self.records:
                    self._read(int(stem))
                    found.append(int(stem))
        return found

    def _read(self, place: int) -> None:
        path = self.folder / f"{place}.end"
        with suppress(FileNotFoundError):
            self.records[place] = parse(path.read_text(errors="replace"), path.stat().st_mtime)

    def void(self) -> None:
        """See to it that none of it is ever run."""
        self.folder.rename(self.folder.with_name(self.name + VOID))


class Spool:
    """All arrays of a state. The folder is made when there is something to put into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, tuple[Array, int]] = {}
        for path in sorted(folder.glob("*/names")):
            if not path.parent.name.endswith(VOID):
                self._add(_load(path))

    @property
    def arrays(self) -> Iterator[Array]:
        return iter({array: None for array, _ in self._places.values()})

    def place(self, name: str) -> tuple[Array, int] | None:
        """Where the attempt of this name is."""
        return self._places.get(name)

    def places(self, prefix: str) -> Iterator[tuple[str, Array, int]]:
        """All attempts whose names begin so."""
        for name, (array, place) in self._places.items():
            if name.startswith(prefix):
                yield name, array, place

    def make(self, attempts: Sequence[Attempt], pack: int, setup: str, python: str = "") -> Array:
        """Lay out an array of these attempts, whose packs `python` carries out where nodes can run that.

        Raises OSError, and UnicodeEncodeError for what no file can hold.
        """
        name = f"runner-{attempts[0].name.partition('-')[0]}-{os.urandom(5).hex()}"
        folder = self._folder / name
        files = batch_script.files(folder, attempts, pack, setup, python)
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        array = Array(folder, tuple(attempt.name for attempt in attempts), pack)
        _put(folder / "names", json.dumps({"pack": pack, "names": array.names}))
        self._add(array)
        return array

    def drop(self, array: Array) -> None:
        """Forget an array that Slurm does not have, and see to it that none of it is ever run."""
        for name in array.names:
            del self._places[name]
        array.void()

    def _add(self, array: Array) -> None:
        for place, name in enumerate(array.names):
            self._places[name] = array, place


def _load(path: Path) -> Array:
    told = json.loads(path.read_text())
    job = path.with_name("job")
    return Array(path.parent, tuple(told["names"]), told["pack"], job.read_text() if job.exists() else None)


def _put(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.rename(path)
