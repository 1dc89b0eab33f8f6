"""The files of job arrays in the shared folder, one folder for each array:

    names    JSON: the attempts' names in order, and how many share a task; the array may be submitted once this file exists
    tasks.N  sh functions that describe the sessions; plans: for packs, the same for Python; script: the batch script
    job      the array's id at Slurm, once it is known
    N.ask    mark: session N is to be ended; N.end: how session N ended, written by its job

Jobs write their own records here and never touch the journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runner.backends.slurm import batch_script
from runner.model import Attempt
from runner.state.fs import replacing_text

VOID = ".void"
"""Suffix of the folder of an array that was withdrawn. Should Slurm start it all the same, its script finds nothing to run."""


class EndRecord(NamedTuple):
    """How a session ended, as its job has recorded it."""

    code: int | None
    """Exit code, 128+n after signal n; None if the command was not started."""
    why: str
    """Who ended it: `asked` runner, `timeout` its time limit, `slurm` Slurm; `broken`: its logs could not be opened; or empty."""
    began: float
    """Unix time, by the file server's clock."""
    ran: float
    """Seconds."""
    cpu: float | None
    """Seconds of processor time."""
    peak: int | None
    """The job's largest memory use in bytes."""
    killed: int | None
    """Processes of the job that the kernel ended for lack of memory; None where it does not count them."""
    host: str | None
    job: str
    """The array's id."""
    by_shell: bool = False
    """Whether `sh` ran its pack because the interpreter did not work on the node."""

    @property
    def is_final(self) -> bool:
        """Whether the record decides the outcome. Else Slurm has to say why it ended the job, or whether memory was short."""
        return self.why != "slurm" and (self.code != 137 or self.killed is not None)


def parse_record(text: str, written: float) -> EndRecord:
    """The record in a file `N.end` that was written at this Unix time. A field that is missing or damaged becomes None."""
    values = dict(word.split("=", 1) for word in text.split())
    ran = (_integer(values.get("ran")) or 0) / 100
    ticks = _integer(values.get("cpu"))
    return EndRecord(
        code=_integer(values.get("code")),
        why=values.get("why", ""),
        began=written - ran,
        ran=ran,
        cpu=None if ticks is None else ticks / 100,
        peak=_integer(values.get("peak")),
        killed=_integer(values.get("oom")),
        host=values.get("host") or None,
        job=values.get("job", ""),
        by_shell=values.get("by") == "sh",
    )


@dataclass(eq=False, slots=True)
class JobArray:
    """One array and its files. A session is addressed by its index, a task by the index that Slurm gives it."""

    folder: Path
    names: tuple[str, ...]
    """The attempts' names, by index."""
    pack: int
    """Sessions in one task."""
    job: str | None = None
    """The id at Slurm; None while it is unknown."""
    records: dict[int, EndRecord] = field(default_factory=dict)
    """The records read so far, by session."""

    @property
    def name(self) -> str:
        """The job's name at Slurm; unique."""
        return self.folder.name

    @property
    def tasks(self) -> int:
        """The number of tasks."""
        return -(-len(self.names) // self.pack)

    def id(self, index: int) -> str:
        """A session's job id, once the array has one: `123_4`, or for the seventh session of a pack `123_4.6`."""
        task, rest = divmod(index, self.pack)
        return f"{self.job}_{task}.{rest}" if self.pack > 1 else f"{self.job}_{task}"

    def sessions_of(self, task: int) -> range:
        """The indices of the sessions in a task."""
        return range(task * self.pack, min((task + 1) * self.pack, len(self.names)))

    def set_job(self, job: str) -> None:
        """Store the id that Slurm has given the array."""
        self.job = job
        _write(self.folder / "job", job)

    def mark(self, index: int) -> None:
        """Mark a session that is to be ended."""
        with suppress(FileNotFoundError):
            (self.folder / f"{index}.ask").touch()

    def read_records(self) -> list[int]:
        """Read the records that are new, and return their sessions.

        A record with `why=slurm` is read again each time: Slurm may put the task back into its queue, which starts it again.
        """
        for index in [index for index, record in self.records.items() if record.why == "slurm"]:
            del self.records[index]
        found = []
        with suppress(FileNotFoundError):
            os.utime(self.folder)  # has an NFS client list the folder again
            for name in os.listdir(self.folder):
                stem, _, kind = name.partition(".")
                if kind == "end" and int(stem) not in self.records:
                    self._read(int(stem))
                    found.append(int(stem))
        return found

    def _read(self, index: int) -> None:
        path = self.folder / f"{index}.end"
        with suppress(FileNotFoundError):
            self.records[index] = parse_record(path.read_text(errors="replace"), path.stat().st_mtime)

    def void(self) -> None:
        """Make its script find nothing to run."""
        self.folder.rename(self.folder.with_name(self.name + VOID))


class Spool:
    """All arrays of a state. The folder is created with the first array."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sessions: dict[str, tuple[JobArray, int]] = {}
        for path in sorted(folder.glob("*/names")):
            if not path.parent.name.endswith(VOID):
                self._add(_load(path))

    @property
    def arrays(self) -> Iterator[JobArray]:
        """All arrays, oldest first."""
        return iter({array: None for array, _ in self._sessions.values()})

    def find(self, name: str) -> tuple[JobArray, int] | None:
        """The array and the index of the attempt with this name."""
        return self._sessions.get(name)

    def find_all(self, prefix: str) -> Iterator[tuple[str, JobArray, int]]:
        """Name, array and index of the attempts whose names begin with `prefix`."""
        for name, (array, index) in self._sessions.items():
            if name.startswith(prefix):
                yield name, array, index

    def create(self, attempts: Sequence[Attempt], pack: int, setup: str, python: str = "") -> JobArray:
        """Write the files of a new array. Its packs are run by `python` on nodes where that works, else by `sh`.

        Raises OSError, and UnicodeEncodeError for text that no file can hold.
        """
        name = f"runner-{attempts[0].name.partition('-')[0]}-{os.urandom(5).hex()}"
        folder = self._folder / name
        files = batch_script.files(folder, attempts, pack, setup, python)
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        array = JobArray(folder, tuple(attempt.name for attempt in attempts), pack)
        _write(folder / "names", json.dumps({"pack": pack, "names": array.names}))
        self._add(array)
        return array

    def withdraw(self, array: JobArray) -> None:
        """Forget an array that Slurm does not have. None of it runs, even if a delayed `sbatch` still submits it."""
        for name in array.names:
            del self._sessions[name]
        array.void()

    def _add(self, array: JobArray) -> None:
        for index, name in enumerate(array.names):
            self._sessions[name] = array, index


def _load(path: Path) -> JobArray:
    content = json.loads(path.read_text())
    job = path.with_name("job")
    return JobArray(path.parent, tuple(content["names"]), content["pack"], job.read_text() if job.exists() else None)


def _write(path: Path, text: str) -> None:
    with replacing_text(path) as file:
        file.write(text)


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None
