"""Signals to processes that may not be signalled. How trees end is in test_process_tree.py."""

from __future__ import annotations

import subprocess
import sys

from tests.paths import ROOT

PROGRAM = """
import os, resource
from runner.backends.local.supervisor.termination import send
from runner.backends.local.procfs import process
if os.getuid() == 0:
    os.setuid(65534)
init = process(1)
send(init, 0)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
send(init, 0)
print("done")
"""


def test_signal_to_a_process_of_another_user_is_ignored() -> None:
    """With a pidfd, and without one because no file descriptor is free."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr
