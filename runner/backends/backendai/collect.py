"""Brings what a job has printed on its console into its log files and its output folder."""

from __future__ import annotations

from pathlib import Path

import trio

from runner.backends.backendai import api
from runner.backends.backendai.client import Client
from runner.backends.backendai.console import ConsoleLog, Fragments, has_end, marker, parse
from runner.backends.backendai.inputs import is_build
from runner.backends.backendai.limits import MAX_CHECKPOINTS
from runner.backends.backendai.output_files import extract
from runner.model import Attempt
from runner.units import counted, format_memory

FETCH_ATTEMPTS = 6
"""How often the log of a terminated session is fetched: it reaches the manager's database some time after the end."""

FETCH_PAUSE = 0.5
"""Seconds; each pause is longer by this than the one before."""


async def fetch(client: Client, session: str, name: str, *, attempts: int = FETCH_ATTEMPTS) -> str:
    """Return the console log of a terminated session, repeatedly fetched until it holds the wrapper's last line."""
    log = ""
    for number in range(attempts):
        await trio.sleep(FETCH_PAUSE * number)
        log = await api.console_log(client, session) or ""
        if has_end(log, name):
            break
    return log


def collect(log: str, name: str, attempt: Attempt | None, *, expected: bool = True, omitted: int = 0) -> ConsoleLog:
    """Return the parsed log of an ended job, after writing the attempt's logs and output files.

    What is missing is noted at the end of stderr: of the console if it is `expected` to exist, and `omitted` output files
    of earlier attempts that the session was created without.
    """
    console = parse(log, marker(name))
    if attempt is not None:
        refused = extract(console, Path(attempt.output), external_links=is_build(attempt))
        notes = _notes(console, refused)
        if expected and not console.started:
            notes.append("the cluster has lost the job's console: its logs and output files are missing")
        if omitted:
            size = format_memory(MAX_CHECKPOINTS)
            notes.append(
                f"{counted(omitted, 'output file')} of earlier attempts did not fit: a job takes {size} of them"
            )
        _extend(attempt.stdout, console.stdout.join()[0])
        _extend(attempt.stderr, console.stderr.join()[0] + "".join(f"runner: {note}\n" for note in notes).encode())
    return console


def update_logs(log: str, attempt: Attempt) -> None:
    """Append to the attempt's log files what a running job has written since the last call."""
    console = parse(log, marker(attempt.name))
    _extend(attempt.stdout, console.stdout.join()[0])
    _extend(attempt.stderr, console.stderr.join()[0])


def _notes(console: ConsoleLog, refused: int) -> list[str]:
    notes = []
    for name, stream in (("stdout", console.stdout), ("stderr", console.stderr)):
        if missing := stream.join()[1]:
            notes.append(f"the cluster kept {_share(stream, missing)} of {name}")
    if console.started and console.end is None:
        notes.append("the end of the job's console is missing")
    incomplete = sum(1 for file in console.files.values() if file.content.join()[1])
    if left := incomplete + (console.end.omitted if console.end else 0):
        notes.append(f"{counted(left, 'output file')} could not be brought back: too large for the console")
    if refused:
        notes.append(
            f"{counted(refused, 'output file')} could not be created: outside the output folder, or in conflict"
        )
    return notes


def _share(stream: Fragments, missing: int) -> str:
    kept = len(stream.join()[0])
    return f"{kept:,} of {kept + missing:,} bytes"


def _extend(path: str, content: bytes) -> None:
    """Make the file's content `content`, by appending to it if possible: `logs -f` follows the file."""
    with open(path, "ab") as file:
        size = file.tell()
        if size <= len(content):
            file.write(content[size:])
            return
    Path(path).write_bytes(content)
