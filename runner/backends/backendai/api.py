"""Requests about sessions, and the manager's answers as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from runner.backends.backendai.client import MAX_SERVER_ERRORS, Client, RequestRetry
from runner.backends.backendai.errors import QueryError, RateLimited, RequestRefused, ServerError, Unavailable
from runner.errors import EnvironmentFailed

PAGE = 100
"""Sessions in one query, and in one page of its answer."""

LOG_ERRORS = 3
"""Errors after which a console log is given up: the manager answers 500 for a session that never had a container."""

_LIST = """query($limit: Int!, $offset: Int!, $filter: String) {
  compute_session_list(limit: $limit, offset: $offset, filter: $filter, order: "id") {
    items { id name status status_info status_data status_history result agents created_at }
    total_count
  }
}"""

FINAL = frozenset(("TERMINATED", "CANCELLED"))
STARTED = frozenset(("RUNNING", "RESTARTING", "RUNNING_DEGRADED", "TERMINATING", "TERMINATED"))


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session as the manager lists it (`compute_session_list`)."""

    id: str
    name: str
    status: str
    status_info: str
    result: str | None
    """`SUCCESS` or `FAILURE`; None while the command has not ended."""
    pending_reason: str | None
    """Why the session does not run yet, in the scheduler's words."""
    error: str | None
    """What the manager or the agent reported as an error."""
    running_since: float | None
    """Unix time at which the status became RUNNING."""
    agent: str | None

    @property
    def terminated(self) -> bool:
        return self.status in FINAL


async def create(client: Client, body: Mapping[str, Any]) -> str:
    """Enqueue a session and return its id; if a session of that name exists, return the existing one's id.

    Raises RequestRefused, and ServerError if the manager fails to create it each time.
    """
    retry = RequestRetry(client, MAX_SERVER_ERRORS)
    while True:
        try:
            return str((await client.request("POST", "/session", body))["sessionId"])
        except RequestRefused as refusal:
            if refusal.kind == "session-already-exists" and isinstance(refusal.data, dict):
                return str(refusal.data["existingSessionId"])
            raise
        except Unavailable as fault:
            await retry.wait(fault)
            if isinstance(fault, RateLimited):
                continue
        # The session may exist although the answer was lost. It may even have ended, which makes its name free again.
        for session in await find_sessions(client, "name", [body["name"]]):
            return session.id


async def find_sessions(client: Client, field: str, values: Iterable[str]) -> list[SessionInfo]:
    """Return the sessions whose `field` (`id` or `name`) is one of `values`, ended ones too."""
    ordered = sorted(values)
    found: list[SessionInfo] = []
    for start in range(0, len(ordered), PAGE):
        found += await _list(client, f"{field} in {json.dumps(ordered[start : start + PAGE])}")
    return found


async def live_sessions(client: Client, prefix: str) -> list[SessionInfo]:
    """Return the sessions that have not ended and whose name begins with `prefix`."""
    not_final = " & ".join(f'(status != "{status}")' for status in sorted(FINAL))
    found = await _list(client, f"(name like {json.dumps(prefix + '%')}) & {not_final}")
    return [session for session in found if session.name.startswith(prefix) and not session.terminated]


async def console_log(client: Client, session: str) -> str | None:
    """Return all that the session's container has printed; None if the manager has no log of it."""
    try:
        answer = await client.retry(partial(client.request, "GET", f"/session/{session}/logs"), LOG_ERRORS)
    except (RequestRefused, ServerError):
        return None
    return str(((answer or {}).get("result") or {}).get("logs") or "")


async def interrupt(client: Client, session: str) -> None:
    """Send SIGINT to the session's startup command, if it runs."""
    try:
        await client.retry(partial(client.request, "POST", f"/session/{session}/interrupt"))
    except RequestRefused:
        pass


async def destroy(client: Client, session: str, *, forced: bool) -> bool:
    """Destroy the session. Return False if it has ended already or does not exist."""
    query = {"forced": "true"} if forced else {}
    try:
        await client.retry(partial(client.request, "DELETE", f"/session/{session}", query=query))
    except RequestRefused as refusal:
        if refusal.status == 404:
            return False
        if not forced:
            return await destroy(client, session, forced=True)
    return True


async def _list(client: Client, condition: str) -> list[SessionInfo]:
    """Return all pages of a list. Raises EnvironmentFailed if the manager refuses the query or fails on it each time."""
    found: list[SessionInfo] = []
    while True:
        variables = {"limit": PAGE, "offset": len(found), "filter": condition}
        try:
            answer = await client.retry(partial(client.query, _LIST, variables), MAX_SERVER_ERRORS)
        except (RequestRefused, ServerError, QueryError) as error:
            raise EnvironmentFailed(f"the cluster does not list sessions: {error.message}") from error
        page = answer["compute_session_list"]
        found += map(_session_info, page["items"])
        if not page["items"] or len(found) >= page["total_count"]:
            return found


def _session_info(item: Mapping[str, Any]) -> SessionInfo:
    data = _json_object(item.get("status_data"))
    history = _json_object(item.get("status_history"))
    status, status_info = str(item["status"]), str(item.get("status_info") or "")
    result = str(item.get("result") or "UNDEFINED")
    agents = item.get("agents") or []
    return SessionInfo(
        id=str(item["id"]),
        name=str(item["name"]),
        status=status,
        status_info=status_info,
        result=None if result == "UNDEFINED" else result,
        pending_reason=_pending_reason(status, status_info, data),
        error=_error(data),
        running_since=_unix_time(history.get("RUNNING")),
        agent=str(agents[0]) if agents else None,
    )


def _json_object(text: Any) -> dict[str, Any]:
    """Return an object that the manager sends as JSON text or as it is; an empty one if it is neither."""
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _pending_reason(status: str, status_info: str, data: Mapping[str, Any]) -> str | None:
    if status == "PULLING":
        return "the image is being pulled"
    scheduler = data.get("scheduler")
    if status != "PENDING" or not isinstance(scheduler, dict):
        return None
    messages = [str(failed.get("msg")) for failed in scheduler.get("failed_predicates") or () if failed.get("msg")]
    if not messages and scheduler.get("msg"):
        messages = [str(scheduler["msg"])]
    # The manager reports the limit of a keypair and that of its user, which are mostly the same, one after the other.
    messages = [message.replace("main-keypair", "keypair").strip().rstrip(".") for message in messages]
    return "; ".join(dict.fromkeys(messages)) or status_info or None


def _error(data: Mapping[str, Any]) -> str | None:
    error = data.get("error")
    if not isinstance(error, dict):
        return None
    parts = [error, *[item for item in error.get("collection") or () if isinstance(item, dict)]]
    texts = [str(part.get("repr") or part.get("name") or "") for part in parts if part.get("name") != "MultiAgentError"]
    return "; ".join(dict.fromkeys(filter(None, texts))) or None


def _unix_time(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None
