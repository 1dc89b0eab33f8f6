"""The signature of a request, as the manager computes it. Pure."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

VERSION = "v7.20230615"
"""Of the API; the oldest that today's servers take."""

_NO_BODY = hashlib.sha256(b"").hexdigest()
"""Bodies are not signed: the manager hashes an empty one whatever is sent."""


def sign(
    *, method: str, target: str, host: str, content_type: str, at: datetime, access_key: str, secret_key: str
) -> dict[str, str]:
    """The headers that say who asks. `target` is the raw path with its query, as sent; `host` the Host header, with port;
    `content_type` the media type without parameters; `at` is aware of its time zone.
    """
    date = at.isoformat()
    text = "\n".join(
        (
            method,
            target,
            date,
            f"host:{host}",
            f"content-type:{content_type}",
            f"x-backendai-version:{VERSION}",
            _NO_BODY,
        )
    )
    key = _digest(_digest(secret_key.encode(), at.strftime("%Y%m%d")).digest(), host).digest()
    return {
        "Date": date,
        "X-BackendAI-Version": VERSION,
        "Authorization": f"BackendAI signMethod=HMAC-SHA256, credential={access_key}:{_digest(key, text).hexdigest()}",
    }


def _digest(key: bytes, text: str) -> hmac.HMAC:
    return hmac.new(key, text.encode(), hashlib.sha256)
