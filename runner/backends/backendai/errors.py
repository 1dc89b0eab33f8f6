"""What the cluster answers when it does not do as asked: for good, for now, or because of who asks."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "https://api.backend.ai/probs/"


class Refused(Exception):
    """For good: asking again would be answered the same. `kind` is the last part of the problem's type."""

    def __init__(self, status: int, kind: str, words: str, data: Any = None) -> None:
        super().__init__(words)
        self.status = status
        self.kind = kind
        self.words = words
        self.data = data


class Unavailable(Exception):
    """For now: no answer, or one that says that it may work later. `words` are for people."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Failed(Unavailable):
    """It answers, but with an error of its own; of no `kind` where that is not the manager's, but a proxy's."""

    def __init__(self, words: str, kind: str = "") -> None:
        super().__init__(words)
        self.kind = kind


class Faulted(Unavailable):
    """It answers a query with an error: mostly that its database was busy with another one, but not only that."""


class RateLimited(Unavailable):
    """The account has asked too often. Nothing was done, and the budget says when to ask again."""


def of_answer(status: int, content: bytes) -> Refused | Unavailable:
    """The problem in an answer whose status is not good."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    kind = str(document.get("type", "")).removeprefix(PREFIX)
    words = _words(document) or f"HTTP status {status}"
    if status >= 500 or status in (408, 425):
        return Failed(f"the cluster answered {status}: {words}", kind)
    return Refused(status, kind, words, document.get("data"))


def _words(document: dict[str, Any]) -> str:
    """The server's own words, on one line: what is wrong, and with which field."""
    parts = [document.get("title"), document.get("msg")]
    data = document.get("data")
    if isinstance(data, dict):
        parts += [f"{field}: {fault}" for field, fault in data.items() if isinstance(fault, str)]
    details = document.get("agent-details")
    if isinstance(details, dict):
        parts += [details.get("title"), details.get("exception")]
    return " ".join(" ".join(str(part).split()).rstrip(".") + ":" for part in parts if part).rstrip(":")


HINTS: tuple[tuple[str, str], ...] = (
    ("No such environment image", "`backend.ai image list` shows the images there are; is the `architecture` right?"),
    ("Unknown image", "`backend.ai image list` shows the images there are; is the `architecture` right?"),
    ("smaller than the minimum", "ask for more `mem` or `cpu`; 64m of shared memory count towards `mem`"),
    ("Unknown slot type", "`runner doctor --backend backend.ai` shows the slots that this cluster has"),
    ("scaling group", "set `scaling_group` to one of yours, or leave it out"),
    ("Invalid group", "set `group`, or BACKEND_GROUP, to a group you are a member of"),
    ("Invalid domain", "set `domain`, or BACKEND_DOMAIN, to yours"),
    ("vfolder", "`backend.ai vfolder list` shows the folders that can be mounted"),
)


def hint(words: str) -> str | None:
    """What to do about a refusal, by its words."""
    return next((advice for piece, advice in HINTS if piece.lower() in words.lower()), None)
