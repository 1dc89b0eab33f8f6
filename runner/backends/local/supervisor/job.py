"""What the spawner knows of one job."""

from __future__ import annotations

from runner.backends.local.supervisor.termination import Ending


class Job:
    """`pid` is the leader's, `begun` on the monotonic clock, `mem` the limit in bytes, `group` its memory group.

    `code` is None until the leader has been reaped; `ending` until somebody wants its tree gone; `asked`
    says that it was runner who wanted that, before the leader had ended by itself. `peak` is the most
    that the whole tree was seen to hold, where somebody looks. `forked` says that it is no process of the spawner's making.
    """

    __slots__ = (
        "asked",
        "begun",
        "code",
        "cpu_time",
        "duration",
        "ending",
        "forked",
        "grace",
        "group",
        "key",
        "look_at",
        "max_rss",
        "mem",
        "name",
        "out_of_memory",
        "peak",
        "pid",
    )

    def __init__(self, key: int, name: str, mem: int | None, grace: float, begun: float) -> None:
        self.key = key
        self.name = name
        self.mem = mem
        self.grace = grace
        self.begun = begun
        self.pid = 0
        self.group: str | None = None
        self.code: int | None = None
        self.duration = self.cpu_time = 0.0
        self.max_rss = 0
        self.ending: Ending | None = None
        self.asked = False
        self.look_at = 0.0
        self.out_of_memory = False
        self.forked = False
        self.peak = 0
