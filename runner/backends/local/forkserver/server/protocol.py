"""Messages between the supervisor and a fork server, which may run different interpreters.

Each is one packet on the socket between the two: a marshalled tuple. The supervisor sends a `Request`. The server, and its
children until their programs begin, send

    (READY, variables)      the modules are imported; variables: what they have looked up or set in `os.environ`
    (UNFIT, reason)         nothing can be forked from this interpreter
    (STARTED, key, pid)     from the child, before the first line of its program
    (COLD, key, reason)     the session cannot be forked, and has not begun
    (ENDED, key, status, cpu_time, max_rss)     from wait4, in seconds and bytes; also after COLD
"""

from __future__ import annotations

import marshal
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READY, UNFIT, STARTED, COLD, ENDED = 1, 2, 3, 4, 5

MARK = b"RUNNER_JOB"
"""As `procfs.MARK`."""

MARK_SIZE = 256
"""Bytes that a server reserves in its own environment for the mark of a session and a NUL."""

IMPORT_TIMEOUT = 600
"""Seconds that the imports may take; then SIGALRM ends the server."""

MAX_PACKET = 1 << 20
"""Bytes; the kernel's limit is the size of the socket's buffer, some 200 kB."""

_MARSHAL_VERSION = 2
"""Every Python 3 reads it."""

Request = namedtuple("Request", "key mode at command env workdir stdout stderr cgroup")
"""One session to fork.

key: the supervisor's number for it
mode: `-c`, `-m`, or nothing for a script
at: index in `command` of the code, module name or script
command: the words of the command line, from the interpreter on
env: the variables that differ from those of the server at its start; None for one that is not set;
    the mark is always among them
workdir, stdout, stderr: paths
cgroup: the file through which a process joins a memory group, or None
"""


class UnfitError(Exception):
    """A session has to start cold, or every one of a server; the message is shown to the user."""


def encode(message: tuple[Any, ...]) -> bytes:
    """Return the message as a packet."""
    return marshal.dumps(tuple(message), _MARSHAL_VERSION)


decode = marshal.loads
