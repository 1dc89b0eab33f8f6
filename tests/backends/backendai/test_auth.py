from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.backends.backendai.auth import sign


@pytest.mark.parametrize(
    ("method", "target", "content_type", "signature"),
    [
        ("POST", "/session", "application/json", "a30cabcf6b323d6e0438b2c142a75d16d7198d82d090e2c94221802009449f83"),
        (
            "GET",
            "/events/session?sessionName=%2A&ownerAccessKey=AKIAIOSFODNN7EXAMPLE&groupName=%2A&scope=%2A",
            "application/octet-stream",
            "d44379ba5bb443426e8bd447b45f668e3b1e92fc3da4640dcdc4af788c53d1c9",
        ),
    ],
)
def test_signature_equals_the_official_clients(method: str, target: str, content_type: str, signature: str) -> None:
    """The expected values were computed by `backend.ai-client` 23.9.10."""
    headers = sign(
        method=method,
        target=target,
        host="127.0.0.1:27105",
        content_type=content_type,
        at=datetime(2026, 11, 23, 15, 0, 6, 93118, UTC),
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    assert headers == {
        "Date": "2026-11-23T15:00:06.093118+00:00",
        "X-BackendAI-Version": "v7.20230615",
        "Authorization": f"BackendAI signMethod=HMAC-SHA256, credential=AKIAIOSFODNN7EXAMPLE:{signature}",
    }
