"""What is asked of the cluster about sessions, and what it says, as data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner.backends.backendai.client import Client, Patience
from runner.backends.backendai.errors import Failed, Faulted, RateLimited, Refused, Unavailable
from runner.errors import EnvironmentFailed

FAILURES = 6
"""How often the manager may answer a creation or a listing with an error of its own: some of what it does not like, it says
no better."""

PAGE = 100
"""Sessions in one question, and in one answer."""

_LIST = """query($limit: Int!, $offset: Int!, $filter: String) {
  compute_session_list(limit: $limit, offset: $offset, filter: $filter, order: "id") {
    items { id name status status_info status_data status_history result agents created_at }
    total_count
  }
}"""

OVER = frozenset(("TERMINATED", "CANCELLED"))
BEGUN = frozenset(("RUNNING", "RESTARTING", "RUNNING_DEGRADED", "TERMINATING", "TERMINATED"))


@dataclass(frozen=True, slots=True)
class Seen:
    """A session as the cluster lists it. `result` is None until there is one; `began` is Unix time."""

    id: str
    name: str
    status: str
    info: str
    result: str | None
    waits_for: str | None
    fault: str | None
    began: float | None
    host: str | None

    @property
    def over(self) -> bool:
        return self.status in OVER


async def create(client: Client, body: Mapping[str, Any]) -> str:
    """Enqueue a session and return its id; one of that name that there is already is the one. Raises Refused."""
    patience = Patience(client)
    failures = 0
    while True:
        try:
            answer = await client.ask("POST", "/session", body)
            return str(answer["sessionId"])
        except Refused as refusal:
            if refusal.kind == "session-already-exists" and isinstance(refusal.data, dict):
                return str(refusal.data["existingSessionId"])
            raise
        except Unavailable as fault:
            failures += isinstance(fault, Failed) and bool(fault.kind)
            if failures == FAILURES:
                raise Refused(500, "", f"{fault.words}, {FAILURES} times") from fault
            await patience.wait(fault)
            if isinstance(fault, RateLimited):
                continue
            # It may have been created although its answer was lost, and it may even be over by now.
            for seen in await listing(client, "name", [body["name"]]):
                return seen.id


async def listing(client: Client, field: str, values: Iterable[str]) -> list[Seen]:
    """The sessions whose `id` or `name` is one of these, dead ones too, in one query for each hundred."""
    found: list[Seen] = []
    for batch in _batched(sorted(values)):
        found += await _batch(client, f"{field} in {json.dumps(list(batch))}")
    return found


async def living(client: Client, prefix: str) -> list[Seen]:
    """The sessions whose name begins so and that are not over."""
    over = " & ".join(f'(status != "{status}")' for status in sorted(OVER))
    found = await _batch(client, f"(name like {json.dumps(prefix + '%')}) & {over}")
    return [seen for seen in found if seen.name.startswith(prefix) and not seen.over]


async def _batch(client: Client, condition: str) -> list[Seen]:
    found: list[Seen] = []
    while True:
        page = await _page(client, {"limit": PAGE, "offset": len(found), "filter": condition})
        found += map(_seen, page["items"])
        if not page["items"] or len(found) >= page["total_count"]:
            return found


async def _page(client: Client, variables: Mapping[str, Any]) -> dict[str, Any]:
    patience = Patience(client)
    faults = 0
    while True:
        try:
            return dict((await client.query(_LIST, variables))["compute_session_list"])
        except Refused as refusal:
            raise EnvironmentFailed(f"the cluster does not list sessions: {refusal.words}") from refusal
        except Unavailable as fault:
            faults += isinstance(fault, Faulted)
            if faults == FAILURES:
                raise EnvironmentFailed(f"the cluster does not list sessions: {fault.words}") from fault
            await patience.wait(fault)


async def console(client: Client, session: str) -> str | None:
    """All that its container has printed; None where the cluster has nothing."""
    try:
        # Of a session that never had a container, the manager fails to say so: 500 then is no reason to wait for long.
        answer = await client.insist("GET", f"/session/{session}/logs", failures=3)
    except (Refused, Failed):
        return None
    return str(((answer or {}).get("result") or {}).get("logs") or "")


async def interrupt(client: Client, session: str) -> None:
    """Send SIGINT to what its startup command runs. One that does not run is no error."""
    try:
        await client.insist("POST", f"/session/{session}/interrupt")
    except Refused:
        pass


async def destroy(client: Client, session: str, *, forced: bool) -> bool:
    """End it. Returns whether there was anything to end: one that is over, or that nobody knows, is no error."""
    query = {"forced": "true"} if forced else {}
    try:
        await client.insist("DELETE", f"/session/{session}", query=query)
    except Refused as refusal:
        if refusal.status == 404:
            return False
        if not forced:
            return await destroy(client, session, forced=True)
    return True


def _batched(values: list[str]) -> Iterator[list[str]]:
    return (values[start : start + PAGE] for start in range(0, len(values), PAGE))


def _seen(item: Mapping[str, Any]) -> Seen:
    data = _document(item.get("status_data"))
    history = _document(item.get("status_history"))
    result = str(item.get("result") or "UNDEFINED")
    agents = item.get("agents") or []
    return Seen(
        id=str(item["id"]),
        name=str(item["name"]),
        status=str(item["status"]),
        info=str(item.get("status_info") or ""),
        result=None if result == "UNDEFINED" else result,
        waits_for=_waits_for(str(item["status"]), str(item.get("status_info") or ""), data),
        fault=_fault(data),
        began=_unix(history.get("RUNNING")),
        host=str(agents[0]) if agents else None,
    )


def _document(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _waits_for(status: str, info: str, data: Mapping[str, Any]) -> str | None:
    """Why it is not running yet, in the scheduler's words."""
    if status == "PULLING":
        return "the image is being pulled"
    if status != "PENDING":
        return None
    scheduler = data.get("scheduler")
    if not isinstance(scheduler, dict):
        return None
    words = [str(failed.get("msg")) for failed in scheduler.get("failed_predicates") or () if failed.get("msg")]
    if not words and scheduler.get("msg"):
        words = [str(scheduler["msg"])]
    # The limits of a keypair and of its user are most often one and the same.
    words = list(dict.fromkeys(word.replace("main-keypair", "keypair").strip().rstrip(".") for word in words))
    return "; ".join(words) or info or None


def _fault(data: Mapping[str, Any]) -> str | None:
    error = data.get("error")
    if not isinstance(error, dict):
        return None
    parts = [error, *[item for item in error.get("collection") or () if isinstance(item, dict)]]
    words = [str(part.get("repr") or part.get("name") or "") for part in parts if part.get("name") != "MultiAgentError"]
    return "; ".join(dict.fromkeys(filter(None, words))) or None


def _unix(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None
