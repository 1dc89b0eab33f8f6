"""How a session ended in its own words: the line that its wrapper leaves."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """`why` is nothing where it ended by itself, else `asked`, `timeout`, `slurm` (Slurm wanted it) or `broken` (its logs
    could not be written). `began` is Unix time by the file server's clock, `ran` and `cpu` seconds, `peak` bytes;
    `killed` counts the processes that the kernel ended for want of memory, None where that cannot be told; `by_shell` says that
    there was no interpreter to carry out its pack.
    """

    code: int | None
    why: str
    began: float
    ran: float
    cpu: float | None
    peak: int | None
    killed: int | None
    host: str | None
    job: str
    by_shell: bool = False


def parse(text: str, written: float) -> Record:
    """`written` is when the file was, Unix time."""
    values = dict(word.split("=", 1) for word in text.split())
    ran = (_whole(values.get("ran")) or 0) / 100
    ticks = _whole(values.get("cpu"))
    return Record(
        code=_whole(values.get("code")),
        why=values.get("why", ""),
        began=written - ran,
        ran=ran,
        cpu=None if ticks is None else ticks / 100,
        peak=_whole(values.get("peak")),
        killed=_whole(values.get("oom")),
        host=values.get("host") or None,
        job=values.get("job", ""),
        by_shell=values.get("by") == "sh",
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None
