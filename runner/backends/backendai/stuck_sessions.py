"""What a cluster misses: a manager that dies at the wrong moment forgets to start a session's command, or that it has ended.

Such a session stays as it is for ever. Its console knows better: the wrapper's lines are on it, or they are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from runner.backends.backendai import api, download
from runner.backends.backendai.client import Client
from runner.backends.backendai.poller import Job, Watch
from runner.backends.backendai.upload import key
from runner.model import AttemptEnd, Cause, Outcome, Reason

PREPARED_WITHIN, REMEMBERED_WITHIN = 600.0, 120.0
"""Seconds of PREPARING after which a session counts as forgotten; and after the cluster was away meanwhile. Pulling is extra."""

STALLED, BLANKS = 30.0, 2
"""After so many seconds of RUNNING it is looked whether the command has begun at all; so often in vain, and it never will."""

OVERLOOKED, LONGEST = 900.0, 3600.0
"""Seconds between later looks, for an end that the cluster has missed: doubling from the first to the second."""

THOUGHT = 15.0
"""Seconds between two thoughts about all this; and from the cluster's return to the look that it makes necessary."""

CLEARED_WITHIN = 8.0
"""Seconds that the cluster gets to clear away a session whose command is over, before it is told to."""


async def begin(client: Client, watch: Watch, job: Job, name: str, begun: Callable[[], bool]) -> bool:
    """Return once it has `begun`: False if the cluster has forgotten it before that."""
    while not begun():
        if trio.current_time() >= _forgotten_at(client, job):
            job.proved = _shows(await api.console(client, job.id), name)
            return job.proved
        with trio.move_on_after(THOUGHT):
            await watch.until(job, begun)
    return True


async def end(client: Client, watch: Watch, job: Job, name: str) -> bool:
    """Return once its command has ended: False if it never began."""
    looked, pause, blanks = trio.current_time(), STALLED, 0
    while not job.ended:
        now = trio.current_time()
        due = looked + pause
        if client.failed_at > looked:
            due = min(due, client.failed_at + THOUGHT)
        if now < due:
            with trio.move_on_at(min(due, now + THOUGHT)):
                await watch.until(job, lambda: job.ended)
            continue
        log = await api.console(client, job.id)
        looked = trio.current_time()
        if log is not None and download.whole(log, name):
            job.missed = True
        elif log is not None and not _shows(log, name) and not job.proved:
            blanks += 1
            if blanks == BLANKS:
                return job.ended
        else:
            job.proved = True
            pause = min(LONGEST, max(OVERLOOKED, 2 * pause))
    return True


async def give_up(client: Client, watch: Watch, job: Job, name: str) -> AttemptEnd:
    """Clear away one whose command never began, and make sure that it has not begun at the last moment."""
    await api.destroy(client, job.id, forced=True)
    watch.look_now()
    with trio.move_on_after(CLEARED_WITHIN):
        await watch.until(job, lambda: job.over)
    log = await api.console(client, job.id)
    ran = job.seen is not None and job.seen.began is not None
    began = ran if log is None else _shows(log, name)
    reason = Reason(Cause.NODE_FAILED, "the cluster never started its command")
    return AttemptEnd(outcome=Outcome.LOST, reason=reason, began=began)


def _forgotten_at(client: Client, job: Job) -> float:
    """Trio's time. A bootstrap script, which runs while the cluster says PREPARING, may take as long as it likes."""
    if not job.preparing or client.config.job["bootstrap_script"]:
        return math.inf
    failed = client.failed_at
    return failed + REMEMBERED_WITHIN if failed > job.since else job.since + PREPARED_WITHIN


def _shows(log: str | None, name: str) -> bool:
    """Whether there is anything of the wrapper's. Of a log longer than what is kept the beginning is gone, but hardly all."""
    return log is not None and key(name) in log
