from __future__ import annotations

import json

import pytest

from runner.backends.backendai.errors import RequestRefused, ServerError, from_response, hint


def problem(kind: str, title: str, **more: object) -> bytes:
    return json.dumps({"type": f"https://api.backend.ai/probs/{kind}", "title": title, **more}).encode()


@pytest.mark.parametrize(
    ("status", "content", "kind", "message", "advice"),
    [
        (
            404,
            problem("object-not-found", "No such environment image.", msg="Unknown image references: ref:'x/nope:1'"),
            "object-not-found",
            "No such environment image: Unknown image references: ref:'x/nope:1'",
            "image list",
        ),
        (
            400,
            problem(
                "invalid-api-params",
                "Missing or invalid API parameters.",
                msg="Your resource request is smaller than the minimum required by the image. (cpu=1 mem=128m)",
            ),
            "invalid-api-params",
            "Missing or invalid API parameters: Your resource request is smaller than the minimum required by the image. "
            "(cpu=1 mem=128m)",
            "more `mem`",
        ),
        (
            400,
            problem("invalid-api-params", "Missing.", msg="Input validation error", data={"name": "does not match"}),
            "invalid-api-params",
            "Missing: Input validation error: name: does not match",
            None,
        ),
        (404, b"<html>", "", "HTTP status 404", None),
    ],
)
def test_refusal_has_the_managers_message(
    status: int, content: bytes, kind: str, message: str, advice: str | None
) -> None:
    refusal = from_response(status, content)
    assert isinstance(refusal, RequestRefused)
    assert (refusal.kind, refusal.message) == (kind, message)
    assert (hint(message) is None) if advice is None else advice in (hint(message) or "")


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (500, b"{}", ""),
        (500, problem("internal-server-error", "Internal server error."), "internal-server-error"),
        (502, b"<html>bad gateway", ""),
        (503, b"", ""),
        (504, b"[]", ""),
        (408, b"", ""),
    ],
)
def test_temporary_error_names_whether_the_manager_sent_it(status: int, content: bytes, kind: str) -> None:
    error = from_response(status, content)
    assert isinstance(error, ServerError)
    assert error.kind == kind
