"""What an ended job leaves on its console, brought into its files."""

from __future__ import annotations

from pathlib import Path

import trio

from runner.backends.backendai import api, console
from runner.backends.backendai.client import Client
from runner.backends.backendai.console import Console, Stream
from runner.backends.backendai.unpack import lay_down
from runner.backends.backendai.upload import builds, key
from runner.model import Attempt
from runner.units import counted

TRIES = 6
"""How often the console of a job is fetched that should have its end on it: it reaches the database some time after."""

PAUSE = 0.5


async def fetch(client: Client, session: str, name: str, *, expected: bool) -> str:
    """The console; when an end is `expected` there, wait a little for it to come."""
    log = ""
    for attempt in range(TRIES if expected else 2):
        if attempt:
            await trio.sleep(PAUSE * attempt)
        log = await api.console(client, session) or ""
        if whole(log, name):
            break
    return log


def whole(log: str, name: str) -> bool:
    """Whether the wrapper's last word is on the console, and with it all that it had to say."""
    return f"{key(name)}:end:" in log


def bring_back(log: str, name: str, attempt: Attempt | None, expected: bool = True, behind: int = 0) -> Console:
    """Read the console; put streams and output files in their places, and say on stderr what is missing of what is
    `expected`, and how many output files of earlier attempts stayed `behind`.
    """
    found = console.read(log, key(name))
    if attempt is not None:
        refused = lay_down(found, Path(attempt.output), links_anywhere=builds(attempt))
        notes = _notes(found, refused)
        if expected and not found.begun:
            notes.append("the cluster has lost the job's console, and with it all that it wrote")
        if behind:
            files = counted(behind, "output file")
            notes.append(f"{files} of earlier attempts did not go along: a job takes the newest 256 KiB")
        _write(attempt.stdout, found.out.join()[0])
        _write(attempt.stderr, found.err.join()[0] + "".join(f"runner: {note}\n" for note in notes).encode())
    return found


def logs(log: str, attempt: Attempt) -> None:
    """What has come so far; a reader that follows the files sees them grow."""
    found = console.read(log, key(attempt.name))
    _write(attempt.stdout, found.out.join()[0])
    _write(attempt.stderr, found.err.join()[0])


def _notes(found: Console, refused: int) -> list[str]:
    notes = []
    for name, stream in (("stdout", found.out), ("stderr", found.err)):
        if missing := stream.join()[1]:
            notes.append(f"the cluster kept {_kept(stream, missing)} of {name}")
    if found.begun and found.end is None:
        notes.append("the end of the job's console is missing")
    broken = sum(1 for file in found.files.values() if file.stream.join()[1])
    left = broken + (found.end.left_out if found.end else 0)
    if left:
        notes.append(f"{counted(left, 'output file')} could not be brought back: too large for the console")
    if refused:
        notes.append(
            f"{counted(refused, 'output file')} could not be laid down: outside the folder, or in another's way"
        )
    return notes


def _kept(stream: Stream, missing: int) -> str:
    have = len(stream.join()[0])
    return f"{have:,} of {have + missing:,} bytes"


def _write(path: str, content: bytes) -> None:
    with open(path, "ab") as file:
        size = file.tell()
        if size <= len(content):
            file.write(content[size:])
            return
    Path(path).write_bytes(content)
