"""Checks of `runner doctor --backend backend.ai`: endpoint, clock, keys, quota, image, rate limit. Starts no session."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from runner.backends.backendai.client import Client
from runner.backends.backendai.errors import IMAGE_HINT, RequestRefused, Unavailable
from runner.backends.backendai.options import BackendAIOptions, read
from runner.backends.base import Finding
from runner.errors import InvalidInput, RunnerError
from runner.units import format_memory

MAX_SKEW = timedelta(minutes=15)
"""Difference of the clocks from which the manager refuses signatures."""

SKEW_MARGIN = timedelta(minutes=5)

LOW_RATE = 50
"""Remaining requests below which the rate limit gets a hint."""

_IMAGE = """query($reference: String!, $architecture: String) {
  image(reference: $reference, architecture: $architecture) { name tag architecture resource_limits { key min } }
}"""


async def examine(
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    image: str | None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> list[Finding]:
    """Return the findings, up to the first one that makes the rest impossible."""
    try:
        account = read(options, environ)
    except InvalidInput as error:
        return [Finding("configuration", error.message, error.hint, failed=True)]
    response = await _ping(account, transport)
    findings = [_endpoint(account, response)]
    if isinstance(response, str) or findings[0].failed:
        return findings
    findings.append(_clock(response))
    async with Client(account, transport) as client:
        findings.append(await _keys(client))
        if not findings[-1].failed:
            findings += [*await _quota(client), await _image(client, image), _rate_limit(client)]
    if not account.verify:
        findings.append(Finding("tls", "certificates are not verified", "unset BACKEND_SKIP_SSLCERT_VALIDATION"))
    return findings


async def _ping(account: BackendAIOptions, transport: httpx.AsyncBaseTransport | None) -> httpx.Response | str:
    """Return the answer to an unsigned request, or why there is none."""
    timeout = account.connect_timeout
    async with httpx.AsyncClient(transport=transport, verify=account.verify, timeout=timeout) as http:
        try:
            return await http.get(f"{account.endpoint}/")
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__


def _endpoint(account: BackendAIOptions, response: httpx.Response | str) -> Finding:
    fact = "endpoint"
    if isinstance(response, str):
        hint = "check BACKEND_ENDPOINT, and that the manager is running"
        return Finding(fact, f"{account.endpoint}: {response}", hint, failed=True)
    try:
        versions = response.json()
        return Finding(fact, f"{account.endpoint}: manager {versions['manager']}, API {versions['version']}", None)
    except (ValueError, KeyError, TypeError):
        hint = "set BACKEND_ENDPOINT to the manager's API, not to the web console"
        return Finding(fact, f"{account.endpoint} answers, but not as a Backend.AI manager does", hint, failed=True)


def _clock(response: httpx.Response) -> Finding:
    fact = "clock"
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return Finding(fact, "the cluster does not send its time", None)
    skew = datetime.now(UTC) - theirs
    seconds = abs(skew.total_seconds())
    if seconds < 5:
        return Finding(fact, "equal to the cluster's", None)
    value = f"{seconds:,.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} the cluster's"
    if abs(skew) < MAX_SKEW - SKEW_MARGIN:
        return Finding(fact, value, None)
    hint = "set this machine's clock; runner signs with the cluster's time, the official client is refused"
    return Finding(fact, value, hint)


async def _keys(client: Client) -> Finding:
    fact = "keys"
    try:
        await client.request("POST", "/auth", {"echo": "runner"})
    except Unavailable as fault:
        return Finding(fact, fault.message, "try again later")
    except (RunnerError, RequestRefused) as error:
        hint = "copy BACKEND_ACCESS_KEY and BACKEND_SECRET_KEY from the web console; a proxy must keep the Host header"
        return Finding(fact, str(error).partition(": ")[2] or str(error), hint, failed=True)
    return Finding(fact, "accepted", None)


async def _quota(client: Client) -> list[Finding]:
    options = client.options
    body = {"group": options.group, "scaling_group": options.job["config"]["scalingGroup"]}
    try:
        answer = await client.request("POST", "/resource/check-presets", {key: it for key, it in body.items() if it})
    except Unavailable as fault:
        return [Finding("quota", fault.message, None)]
    except RequestRefused as refusal:
        return [Finding("quota", refusal.message, "check BACKEND_GROUP and the option `scaling_group`")]
    remaining = _minimum(answer.get("keypair_remaining"), answer.get("group_remaining"))
    free = answer.get("scaling_group_remaining") or {}
    full = [name for name in free if _amount(free[name]) <= 0]
    hint = "jobs will wait in the queue; `max_parallel` keeps it short" if full else None
    return [
        Finding("quota left", _slots(remaining) or "no limit", None),
        Finding("free in the cluster", _slots(free) or "unknown", hint),
    ]


async def _image(client: Client, image: str | None) -> Finding:
    fact = "image"
    if image is None:
        return Finding(fact, "none given", "name one: `runner doctor --backend backend.ai --image python:3.11`")
    architecture = client.options.job["architecture"]
    try:
        known = (await client.query(_IMAGE, {"reference": image, "architecture": architecture}))["image"]
    except (Unavailable, RequestRefused) as fault:
        if "No such environment image" not in fault.message:
            return Finding(fact, fault.message, None)
        value = f"`{image}` for {architecture} does not exist in the cluster"
        return Finding(fact, value, IMAGE_HINT, failed=True)
    minimum = {limit["key"]: limit["min"] for limit in known.get("resource_limits") or () if limit.get("min")}
    return Finding(fact, f"{known['name']}:{known['tag']}, at least {_slots(minimum) or 'nothing'}", None)


def _rate_limit(client: Client) -> Finding:
    fact = "requests"
    rate = client.rate_limit
    if rate.limit is None or rate.remaining is None or rate.window is None:
        return Finding(fact, "the cluster reports no limit", None)
    value = f"{rate.remaining} of {rate.limit} left in {rate.window / 60:.0f} min"
    return Finding(fact, value, "an administrator can raise the limit" if rate.remaining < LOW_RATE else None)


def _minimum(*limits: Any) -> dict[str, str]:
    """Return the smallest limit of each slot; leave out what is infinite or unknown."""
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
        return math.inf
    return math.inf if math.isnan(number) else number


def _slots(slots: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(name, slots[name])}" for name in sorted(slots))


def _text(name: str, amount: Any) -> str:
    return format_memory(int(float(amount))) if name == "mem" and str(amount).isdigit() else str(amount)
