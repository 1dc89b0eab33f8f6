"""Starts a part of Backend.AI without two bugs of 23.09.10: `python launch.py mgr|ag start-server …`.

In the manager, `SessionRow.get_session` and `list_sessions` extend a mutable default argument with each call: every look-up of
a session gets slower and leaks megabytes (2.4 GB and pauses of seconds after a thousand requests). They get a new list.

The agent asks a new container once whether it is ready and waits for the answer without a limit. The question can be lost if
docker's proxy already listens and the container does not: the session then stays PREPARING, and so do all that are started with
it. The agent asks again after 3 s.
"""
# mypy: ignore-errors

import asyncio
import functools
import sys

from ai.backend.agent.kernel import AbstractCodeRunner
from ai.backend.cli.__main__ import main
from ai.backend.common import msgpack
from ai.backend.manager.models.session import SessionRow

ANSWERED_WITHIN = 3.0


def with_fresh_list(name):
    method = getattr(SessionRow, name).__func__

    @functools.wraps(method)
    async def call(cls, *args, **kwargs):
        return await method(cls, *args, **{"eager_loading_op": [], **kwargs})

    if isinstance((method.__kwdefaults__ or {}).get("eager_loading_op"), list):
        setattr(SessionRow, name, classmethod(call))


async def feed_and_get_status(self):
    while not self.input_sock.closed:
        await self.input_sock.send_multipart([b"status", b""])
        try:
            return msgpack.unpackb(await asyncio.wait_for(self.status_queue.get(), ANSWERED_WITHIN))
        except TimeoutError:
            continue
        except asyncio.CancelledError:
            return None
    raise asyncio.CancelledError


with_fresh_list("get_session")
with_fresh_list("list_sessions")
AbstractCodeRunner.feed_and_get_status = feed_and_get_status
sys.argv[0] = "backend.ai"
sys.exit(main())
