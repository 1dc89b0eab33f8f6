"""A program whose first thread ends while another one sleeps: the kernel shows a zombie that is alive.

Its pid goes into the file `pids` once that is so. With the argument `stop` it stops itself then.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import threading
import time
from pathlib import Path

EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]
"""The number of exit(2), which ends one thread."""


def outlive() -> None:
    while Path("/proc/self/stat").read_text().rpartition(") ")[2][0] != "Z":
        time.sleep(0.001)
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\n")
    if "stop" in sys.argv:
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(1000)


if __name__ == "__main__":
    threading.Thread(target=outlive).start()
    ctypes.CDLL(None).syscall(EXIT, 0)
