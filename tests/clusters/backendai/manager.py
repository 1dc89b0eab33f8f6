"""Starts Backend.AI's manager without one of its bugs.

In 23.09.10 `SessionRow.get_session` and `list_sessions` extend a mutable default argument with each call: every look-up of
a session gets slower and leaks megabytes (2.4 GB and pauses of seconds after a thousand requests). They get a new list.
"""
# mypy: ignore-errors

import functools
import sys

from ai.backend.cli.__main__ import main
from ai.backend.manager.models.session import SessionRow


def with_fresh_list(name):
    method = getattr(SessionRow, name).__func__

    @functools.wraps(method)
    async def call(cls, *args, **kwargs):
        return await method(cls, *args, **{"eager_loading_op": [], **kwargs})

    if isinstance((method.__kwdefaults__ or {}).get("eager_loading_op"), list):
        setattr(SessionRow, name, classmethod(call))


with_fresh_list("get_session")
with_fresh_list("list_sessions")
sys.argv[0] = "backend.ai"
sys.exit(main())
