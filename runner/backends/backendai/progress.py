"""The rule for sessions without progress.

A manager that is killed at the wrong moment forgets to start a session's command, or misses its end. The session then keeps
its status, but its console shows lines of the wrapper, or none:

1. The console is read when the status has not changed for 30 s, then each time that this age has doubled, at least every
   15 minutes; and once after each outage of the manager.
2. The wrapper's end line on it: the command has ended.
3. Another line of the wrapper: the command runs.
4. No such line within 10 minutes, or 2 minutes after an outage: the manager never starts the command.
"""

from __future__ import annotations

import math

import trio

from runner.backends.backendai import api
from runner.backends.backendai.client import Client
from runner.backends.backendai.console import has_end, has_lines
from runner.backends.backendai.session import ComputeSession

FIRST_CHECK, LONGEST_INTERVAL = 30.0, 900.0
"""Seconds from a change of the status to the first check, and between two checks at most."""

AFTER_OUTAGE = 15.0
"""Seconds from the last failed request to a check."""

STARTS_WITHIN, STARTS_WITHIN_AFTER_OUTAGE = 600.0, 120.0
"""Seconds from a change of the status, or from the last failed request since then, until the command must have started."""

QUEUED = frozenset(("PENDING", "SCHEDULED", "PULLING"))
"""Statuses that may last for any time."""


def next_check(client: Client, session: ComputeSession) -> float:
    """Return when the session's console must be read (trio's time), infinity for a session that is queued or has ended."""
    if session.info is None or session.info.status in QUEUED or session.ended:
        return math.inf
    last = max(session.checked_at, session.status_since)
    if session.command_started:
        due = last + LONGEST_INTERVAL
    else:
        due = last + min(LONGEST_INTERVAL, max(FIRST_CHECK, last - session.status_since))
        deadline = _start_deadline(client, session)
        due = min(due, deadline) if deadline > last else due
    return min(due, client.failed_at + AFTER_OUTAGE) if client.failed_at > last else due


async def check(client: Client, session: ComputeSession) -> None:
    """Read the session's console and record what it shows."""
    log = await api.console_log(client, session.id)
    session.checked_at = trio.current_time()
    if session.info is None or session.ended:
        return
    if has_end(log or "", session.info.name):
        session.command_ended = True
    elif has_lines(log or "", session.info.name):
        session.command_started = True
    elif session.checked_at >= _start_deadline(client, session) and not session.command_started:
        # A session that runs has a console: if it cannot be read, nothing is known.
        session.never_started = log is not None or session.info.status == "PREPARING"
    session.notify()


def _start_deadline(client: Client, session: ComputeSession) -> float:
    """Return when the command must have started. A bootstrap script, which runs during PREPARING, may take any time."""
    if session.info is not None and session.info.status == "PREPARING" and client.options.job["bootstrap_script"]:
        return math.inf
    deadline = session.status_since + STARTS_WITHIN
    if client.failed_at > session.status_since:
        deadline = min(deadline, client.failed_at + STARTS_WITHIN_AFTER_OUTAGE)
    return deadline
