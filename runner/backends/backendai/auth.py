"""Signatures of requests, computed as the manager computes them. Pure."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

API_VERSION = "v7.20230615"
"""The oldest API version that current managers accept."""

_HASH_OF_EMPTY_BODY = hashlib.sha256(b"").hexdigest()
"""The manager does not sign bodies: it always uses the hash of an empty one."""


def sign(
    *, method: str, target: str, host: str, content_type: str, at: datetime, access_key: str, secret_key: str
) -> dict[str, str]:
    """Return the headers that authenticate a request (Backend.AI API, HMAC-SHA256).

    `target` is the raw path with its query, as sent; `host` is the Host header with the port; `content_type` is the media
    type without parameters; `at` has a time zone.
    """
    date = at.isoformat()
    text = "\n".join(
        (
            method,
            target,
            date,
            f"host:{host}",
            f"content-type:{content_type}",
            f"x-backendai-version:{API_VERSION}",
            _HASH_OF_EMPTY_BODY,
        )
    )
    key = _hmac(_hmac(secret_key.encode(), at.strftime("%Y%m%d")).digest(), host).digest()
    return {
        "Date": date,
        "X-BackendAI-Version": API_VERSION,
        "Authorization": f"BackendAI signMethod=HMAC-SHA256, credential={access_key}:{_hmac(key, text).hexdigest()}",
    }


def _hmac(key: bytes, text: str) -> hmac.HMAC:
    return hmac.new(key, text.encode(), hashlib.sha256)
