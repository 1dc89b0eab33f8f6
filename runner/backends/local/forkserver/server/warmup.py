"""What every fork does, done in the parent a few times over.

The interpreter then knows its way: its code is specialized, and the caches of attributes hold what it looks up. A fork that
has to learn all of that writes to forty pages more, each of which is copied, and learns it for itself alone.
"""

from __future__ import annotations

import os
import sys

from runner.backends.local.forkserver.server.child import Fresh
from runner.backends.local.forkserver.server.request import CODE, Request
from runner.backends.local.forkserver.server.run import execute
from runner.backends.local.forkserver.server.shutdown import Before, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROUNDS = 20
_NULL = b"/dev/null"


def rehearse(fresh: Fresh, before: Before, main: dict[str, Any]) -> None:
    """For a program that prints; this process has /dev/null for its streams. Leaves all as it was but the working directory."""
    modules, path, words = dict(sys.modules), list(sys.path), (sys.argv, getattr(sys, "orig_argv", None))
    environ = os.environ._data  # type: ignore[attr-defined]
    before = before._replace(files=[])  # which stay open
    for _ in range(_ROUNDS):
        request = Request(0, CODE, 0, fresh.titles.own, {}, b"/", _NULL, _NULL, None)
        prepared = fresh.prepare(request)
        request.code = compile("import os; print(os.getcwd())", "<string>", "exec")
        fresh.become(request, prepared)
        execute(request, main)
        leave(before)
        sys.modules.clear()
        sys.modules.update(modules)
        sys.path[:] = path
    os.environ._data = os.environb._data = environ  # type: ignore[attr-defined]
    sys.argv = words[0]
    if words[1] is not None:
        sys.orig_argv = words[1]
