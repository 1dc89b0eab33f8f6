"""The decisions after a failure: whether to try again, whether that counts, and whether to stop. Pure."""

from __future__ import annotations

from runner.model import AttemptEnd, Outcome, Resources, Retry, Session, Stop

LONGEST_DOUBLING = 40
"""Keeps the exponential finite; the pause is longer than a human life by then."""

MOST_RESTARTS = 5
"""How often a session is submitted again in one apply because its command never began. Does not count as a retry."""


def build_resources(session: Session, limits: Resources, *, remote: bool) -> Resources:
    """What a build takes of the capacity: at a cluster what its first session requests; else one cpu, though it may use more."""
    return session.resources if remote else {"cpu": min(1, limits.get("cpu", 1))}


def restart(ended: AttemptEnd, restarts: int) -> bool:
    """Whether to submit a session again without counting it: the backend lost it before its command began."""
    return ended.outcome is Outcome.LOST and not ended.began and restarts < MOST_RESTARTS


def retry_pause(retry: Retry, outcome: Outcome, retries: int) -> float | None:
    """Seconds before the next attempt of a session that was retried `retries` times; None if there is none."""
    if outcome not in retry.on or retries >= retry.limit:
        return None
    return retry.backoff * 2.0 ** min(retries, LONGEST_DOUBLING)


def stop_reason(stop: Stop | None, failed: int, to_run: int) -> str | None:
    """Why nothing more is started after `failed` sessions have failed for good; None if the limit is not reached."""
    if stop is None or not failed:
        return None
    if stop.failures is not None and failed >= stop.failures:
        return "1 session failed" if failed == 1 else f"{failed} sessions failed"
    if stop.share is not None and failed >= stop.share * to_run:
        return f"{failed} of {to_run} sessions failed"
    return None
