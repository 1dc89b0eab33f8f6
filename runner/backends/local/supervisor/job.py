"""What the supervisor knows of one job."""

from __future__ import annotations

from runner.backends.local.supervisor.termination import Termination


class LocalJob:
    """An attempt from its start to the end of its process tree."""

    __slots__ = (
        "cancelled",
        "cgroup",
        "check_at",
        "code",
        "cpu_time",
        "duration",
        "forked",
        "grace",
        "key",
        "left_behind",
        "lost",
        "max_rss",
        "mem",
        "name",
        "out_of_memory",
        "peak",
        "pid",
        "started",
        "termination",
    )

    def __init__(self, *, key: int, name: str, mem: int | None, grace: float, started: float) -> None:
        self.key = key
        """The backend's number for the attempt."""
        self.name = name
        """The attempt's name, which its processes carry in their environment."""
        self.mem = mem
        """The memory limit in bytes."""
        self.grace = grace
        """Seconds between SIGTERM and SIGKILL for what the leader leaves behind."""
        self.started = started
        """When the leader was started, on the monotonic clock."""
        self.pid = 0
        """The leader's."""
        self.forked = False
        """True if a fork server started the leader."""
        self.cgroup: str | None = None
        """The folder of the job's memory cgroup, if it has one."""
        self.code: int | None = None
        """The leader's exit code, or minus the number of the signal; None until the leader was reaped."""
        self.lost: str | None = None
        """Why `code` is meaningless, if it is."""
        self.duration = 0.0
        """Seconds that the leader ran."""
        self.cpu_time = 0.0
        """Seconds of user and system time of the leader and the children that it waited for."""
        self.max_rss = 0
        """The leader's peak in bytes, as wait4 reports it."""
        self.peak = 0
        """The highest memory use of the whole tree that was measured, in bytes; 0 if none was."""
        self.out_of_memory = False
        """True once the tree was over its memory limit."""
        self.cancelled = False
        """True if the backend asked for the end before the leader had ended by itself."""
        self.left_behind = False
        """True once a process that the leader left running was ended."""
        self.termination: Termination | None = None
        """Not None once the tree is being ended."""
        self.check_at = 0.0
        """When `termination` takes its next step, on the monotonic clock."""
