"""What `runner doctor --backend backend.ai` looks at: endpoint, clock, keys, image, quota. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from runner.backends.backendai.client import Client
from runner.backends.backendai.errors import Refused, Unavailable
from runner.backends.backendai.options import Config, read
from runner.backends.base import Finding
from runner.errors import InvalidInput, RunnerError
from runner.units import format_memory

SKEW = timedelta(minutes=15)
"""From there on the manager refuses a signature."""

_IMAGE = """query($reference: String!, $architecture: String) {
  image(reference: $reference, architecture: $architecture) { name tag architecture resource_limits { key min } }
}"""


async def examine(
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    image: str | None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> list[Finding]:
    """One finding after the other, as far as it makes sense to go on."""
    try:
        configured = read(options, environ)
    except InvalidInput as error:
        return [Finding("configuration", error.message, error.hint, failed=True)]
    found = [await _endpoint(configured, transport)]
    if found[0].failed:
        return found
    async with Client(configured, transport) as client:
        found.append(await _clock(configured, transport))
        keys = await _keys(client)
        found.append(keys)
        if not keys.failed:
            found += [*await _quota(client), await _image(client, image)]
            found.append(_rate(client))
    if not configured.verify:
        found.append(Finding("tls", "certificates are not verified", "unset BACKEND_SKIP_SSLCERT_VALIDATION"))
    return found


async def _endpoint(configured: Config, transport: httpx.AsyncBaseTransport | None) -> Finding:
    fact = "endpoint"
    response = await _unsigned(configured, transport)
    if isinstance(response, str):
        return Finding(
            fact, f"{configured.endpoint}: {response}", "is BACKEND_ENDPOINT right, and the manager up?", True
        )
    try:
        versions = response.json()
        return Finding(fact, f"{configured.endpoint}: manager {versions['manager']}, API {versions['version']}", None)
    except (ValueError, KeyError, TypeError):
        hint = "BACKEND_ENDPOINT has to be the manager's API, not the web console"
        return Finding(fact, f"{configured.endpoint} answers, but is no Backend.AI manager", hint, failed=True)


async def _unsigned(configured: Config, transport: httpx.AsyncBaseTransport | None) -> httpx.Response | str:
    timeout = configured.connect_timeout
    async with httpx.AsyncClient(transport=transport, verify=configured.verify, timeout=timeout) as http:
        try:
            return await http.get(f"{configured.endpoint}/")
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__


async def _clock(configured: Config, transport: httpx.AsyncBaseTransport | None) -> Finding:
    fact = "clock"
    response = await _unsigned(configured, transport)
    try:
        theirs = parsedate_to_datetime("" if isinstance(response, str) else response.headers["date"])
    except (KeyError, ValueError, TypeError):
        return Finding(fact, "the cluster does not tell its time", None)
    skew = datetime.now(UTC) - theirs
    seconds = abs(skew.total_seconds())
    if seconds < 5:
        return Finding(fact, "as the cluster's", None)
    value = f"{seconds:,.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} the cluster's"
    if abs(skew) < SKEW - timedelta(minutes=5):
        return Finding(fact, value, None)
    return Finding(
        fact, value, "set this machine's clock; runner goes by the cluster's, the official client is refused"
    )


async def _keys(client: Client) -> Finding:
    fact = "keys"
    try:
        await client.ask("POST", "/auth", {"echo": "runner"})
    except Unavailable as fault:
        return Finding(fact, fault.words, "try again; the account may have asked for too much")
    except (RunnerError, Refused) as error:
        hint = (
            "BACKEND_ACCESS_KEY and BACKEND_SECRET_KEY are shown by the web console; a proxy must keep the Host header"
        )
        return Finding(fact, str(error).partition(": ")[2] or str(error), hint, failed=True)
    return Finding(fact, "accepted", None)


async def _quota(client: Client) -> list[Finding]:
    settings = client.config
    body = {"group": settings.group, "scaling_group": settings.job["config"]["scalingGroup"]}
    try:
        answer = await client.ask("POST", "/resource/check-presets", {key: it for key, it in body.items() if it})
    except Unavailable as fault:
        return [Finding("quota", fault.words, None)]
    except Refused as refusal:
        return [Finding("quota", refusal.words, "are BACKEND_GROUP and `scaling_group` yours?")]
    left = _least(answer.get("keypair_remaining"), answer.get("group_remaining"))
    room = answer.get("scaling_group_remaining") or {}
    full = [name for name in room if _amount(room[name]) <= 0]
    hint = "jobs will wait for room; `max_parallel` keeps the queue short" if full else None
    return [
        Finding("quota left", _slots(left) or "no limit", None),
        Finding("free in the cluster", _slots(room) or "unknown", hint),
    ]


async def _image(client: Client, image: str | None) -> Finding:
    fact = "image"
    if image is None:
        return Finding(fact, "none given", "name one: `runner doctor --backend backend.ai --image python:3.11`")
    architecture = client.config.job["architecture"]
    hint = "`backend.ai image list` shows the images there are; is the `architecture` right?"
    try:
        known = (await client.query(_IMAGE, {"reference": image, "architecture": architecture}))["image"]
    except (Unavailable, Refused) as fault:
        if "No such environment image" not in fault.words:
            return Finding(fact, fault.words, None)
        return Finding(fact, f"the cluster does not know `{image}` for {architecture}", hint, failed=True)
    least = {limit["key"]: limit["min"] for limit in known.get("resource_limits") or () if limit.get("min")}
    return Finding(fact, f"{known['name']}:{known['tag']}, at least {_slots(least) or 'nothing'}", None)


def _rate(client: Client) -> Finding:
    budget = client.budget
    if budget.limit is None:
        return Finding("requests", "the cluster names no limit", None)
    value = f"{budget.left:.0f} of {budget.limit} left in {budget.window / 60:.0f} min"
    return Finding("requests", value, "an administrator can raise it" if budget.left < 50 else None)


def _least(*limits: Any) -> dict[str, str]:
    """The smaller of several limits; what is infinite or unknown limits nothing."""
    found: dict[str, str] = {}
    for limit in limits:
        for name, text in (limit or {}).items():
            if _amount(text) < _amount(found.get(name, "Infinity")):
                found[name] = str(text)
    return found


def _amount(text: Any) -> float:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return float("inf")
    return number if number == number else float("inf")


def _slots(slots: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(name, slots[name])}" for name in sorted(slots))


def _text(name: str, amount: Any) -> str:
    return format_memory(int(float(amount))) if name == "mem" and str(amount).isdigit() else str(amount)
