"""The kernel's count of processes of this job that it has ended for lack of memory."""

from __future__ import annotations

import os


class OomKillCounter:
    """Reads the count from the job's memory cgroup, version 1 or 2."""

    def __init__(self) -> None:
        self._file: int | None = None
        path = ""
        try:
            with open("/proc/self/cgroup") as file:
                for line in file:
                    _, controllers, group = line.rstrip("\n").split(":", 2)
                    if "memory" in controllers.split(","):
                        path = f"/sys/fs/cgroup/memory{group}/memory.oom_control"
                    elif not controllers and not path:
                        path = f"/sys/fs/cgroup{group}/memory.events"
            self._file = os.open(path, os.O_RDONLY)
        except OSError:
            pass

    def count(self) -> int | None:
        """The count since the cgroup was created; None where the kernel does not count."""
        if self._file is None:
            return None
        words = os.pread(self._file, 4096, 0).split()
        return int(words[words.index(b"oom_kill") + 1]) if b"oom_kill" in words else None
