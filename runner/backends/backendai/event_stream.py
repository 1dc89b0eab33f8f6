"""The cluster's event stream, as data. Events may come late, never, or three times: they only say what to look at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """`name` as the cluster has it, such as `session_success`."""

    name: str
    session: str
    session_name: str
    reason: str
    exit_code: int | None


async def parse(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """The events in the lines of a `text/event-stream`; what is none, or none about a session, is passed over."""
    name = ""
    data: list[str] = []
    async for line in lines:
        if not line:
            event = _event(name, "\n".join(data)) if name and data else None
            name, data = "", []
            if event is not None:
                yield event
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _event(name: str, data: str) -> Event | None:
    try:
        found = json.loads(data)
        code = found.get("exitCode")
        return Event(
            name=name,
            session=str(found["sessionId"]),
            session_name=str(found.get("sessionName") or ""),
            reason=str(found.get("reason") or ""),
            exit_code=code if isinstance(code, int) else None,
        )
    except (ValueError, KeyError, AttributeError):
        return None
