"""The manager's event stream as data. Events may come late, twice, or never: they say when to poll, not what is true."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """An event of a session; `name` is the manager's, such as `session_success`."""

    name: str
    session: str
    session_name: str
    reason: str
    exit_code: int | None


async def parse(lines: AsyncIterator[str]) -> AsyncIterator[SessionEvent]:
    """Yield the session events in the lines of a `text/event-stream`; skip comments and malformed events."""
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


def _event(name: str, data: str) -> SessionEvent | None:
    try:
        found = json.loads(data)
        code = found.get("exitCode")
        return SessionEvent(
            name=name,
            session=str(found["sessionId"]),
            session_name=str(found.get("sessionName") or ""),
            reason=str(found.get("reason") or ""),
            exit_code=code if isinstance(code, int) else None,
        )
    except (ValueError, KeyError, AttributeError):
        return None
