"""The decisions about failure: whether to try again, at whose charge, and whether to stop. Pure."""

from __future__ import annotations

from runner.model import AttemptEnd, Outcome, Retry, Stop

LONGEST_DOUBLING = 40
"""Keeps the exponential a float; by then the pause is beyond any life time."""

MOST_RESTARTS = 5
"""How often in one apply a session is submitted again because its command never began; uncharged."""


def restart(ended: AttemptEnd, restarts: int) -> bool:
    """Whether to submit a session again as if nothing had been: the backend has lost it before its command began."""
    return ended.outcome is Outcome.LOST and not ended.began and restarts < MOST_RESTARTS


def retry_pause(retry: Retry, outcome: Outcome, retries: int) -> float | None:
    """Seconds before the next attempt of a session that was retried `retries` times; None if that was all."""
    if outcome not in retry.on or retries >= retry.limit:
        return None
    return retry.backoff * 2.0 ** min(retries, LONGEST_DOUBLING)


def stop_reason(stop: Stop | None, failed: int, to_run: int) -> str | None:
    """Why nothing more is started once `failed` sessions have failed for good; None if that is no reason."""
    if stop is None or not failed:
        return None
    if stop.failures is not None and failed >= stop.failures:
        return "1 session failed" if failed == 1 else f"{failed} sessions failed"
    if stop.share is not None and failed >= stop.share * to_run:
        return f"{failed} of {to_run} sessions failed"
    return None
