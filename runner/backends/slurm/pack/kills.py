"""How often the kernel has ended a process of this job for want of memory."""

from __future__ import annotations

import os


class Kills:
    """Where that cannot be told, `count` is None."""

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
        if self._file is None:
            return None
        words = os.pread(self._file, 4096, 0).split()
        return int(words[words.index(b"oom_kill") + 1]) if b"oom_kill" in words else None
