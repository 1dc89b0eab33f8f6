"""Errors of requests to the manager, and how an HTTP answer maps to them."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "https://api.backend.ai/probs/"
"""Start of the `type` of each problem document that a manager sends."""


class RequestRefused(Exception):
    """The manager refuses the request; sending it again would give the same answer.

    `status` is the HTTP status, `kind` the last part of the problem's type, `message` its text, `data` its data.
    """

    def __init__(self, status: int, kind: str, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.data = data


class Unavailable(Exception):
    """The request may succeed later: no answer, or a temporary error. `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ServerError(Unavailable):
    """An answer with a 5xx status. `kind` is empty where a proxy sent it, not the manager."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class QueryError(Unavailable):
    """A GraphQL query was answered with errors, most often because a database transaction could not be serialized."""


class RateLimited(Unavailable):
    """The account has sent too many requests (429). The request was not carried out."""


def from_response(status: int, content: bytes) -> RequestRefused | Unavailable:
    """Return the error that an answer with a 4xx or 5xx status stands for."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    kind = str(document.get("type", "")).removeprefix(PREFIX)
    message = _message(document) or f"HTTP status {status}"
    if status >= 500 or status in (408, 425):
        return ServerError(f"the cluster answered {status}: {message}", kind)
    return RequestRefused(status, kind, message, document.get("data"))


def _message(document: dict[str, Any]) -> str:
    """Join the texts of a problem document on one line: title, message, faults of fields, the agent's error."""
    parts = [document.get("title"), document.get("msg")]
    data = document.get("data")
    if isinstance(data, dict):
        parts += [f"{field}: {fault}" for field, fault in data.items() if isinstance(fault, str)]
    details = document.get("agent-details")
    if isinstance(details, dict):
        parts += [details.get("title"), details.get("exception")]
    return " ".join(" ".join(str(part).split()).rstrip(".") + ":" for part in parts if part).rstrip(":")


IMAGE_HINT = "`backend.ai image list` lists the cluster's images; an image exists for one `architecture` only"

HINTS: tuple[tuple[str, str], ...] = (
    ("No such environment image", IMAGE_HINT),
    ("Unknown image", IMAGE_HINT),
    ("smaller than the minimum", "request more `mem` or `cpu`; 64m of shared memory are part of `mem`"),
    ("Unknown slot type", "`runner doctor --backend backend.ai` lists the cluster's resource slots"),
    ("scaling group", "set `scaling_group` to one that your account may use, or leave it out"),
    ("Invalid group", "set `group`, or BACKEND_GROUP, to a group that you are a member of"),
    ("Invalid domain", "set `domain`, or BACKEND_DOMAIN, to your account's domain"),
    ("vfolder", "`backend.ai vfolder list` lists the folders that can be mounted"),
)
"""Part of a manager's message, and the advice for it."""


def hint(message: str) -> str | None:
    """Return advice for a refusal, chosen by its message."""
    return next((advice for part, advice in HINTS if part.lower() in message.lower()), None)
