"""What runs when: capacity, order, retries, builds, and the ways it all can end."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import trio

from runner.backends.base import FOR_MAX_PARALLEL, Backend
from runner.events import ApplyEnded, ApplyInterrupted, Emit, StopReached
from runner.executor.attempt_runner import ENDING, AttemptRunner
from runner.executor.capacity import Capacity, Lease
from runner.executor.pending import CANCELLED, PendingAttempts
from runner.executor.policy import restart, retry_pause, stop_reason
from runner.executor.prefetch import Prefetch
from runner.executor.queue import Entry
from runner.executor.recorder import Recorder
from runner.executor.types import Builds, PlannedAttempt, Running, Snapshot
from runner.executor.utilization import UtilizationMeter
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Policy, Reason, Resources, Scalar, Session, Usage
from runner.reasons import describe

LOCK_POLL = 1.0
"""Seconds between two tries for a device that another process holds."""


class Executor:
    """Runs sessions, once, with `run`; everything that happens goes to `emit`.

    `commit` makes what was emitted last: it is called before the backend hears of an attempt, and at the end.
    `prepare` makes the attempt of a session on these devices, with this `start_when_below`; it is called for every attempt, also
    for one that ends before the backend hears of it. `make_ready` lays out what an attempt needs on the disk, right before
    it is submitted; its last argument counts the retries of this apply. `collect` reads the metrics of an attempt that
    ended by itself, None where there are none; `put_away` tidies up what is left of one on the disk, once its end has
    been recorded.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        capacity: Capacity,
        policy: Policy,
        emit: Emit,
        prepare: Callable[[Session, int, tuple[str, ...], int | None], Attempt],
        make_ready: Callable[[Session, int, int], None],
        collect: Callable[[Attempt, AttemptEnd], Awaitable[Mapping[str, Scalar]]] | None,
        put_away: Callable[[str, int, AttemptEnd], None],
        commit: Callable[[], None] = lambda: None,
        builds: Builds | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._backend = backend
        self._capacity = capacity
        self._policy = policy
        self._prepare = prepare
        self._make_ready = make_ready
        self._collect = collect
        self._put_away = put_away
        self._builds = builds
        self._clock = clock
        self._record = Recorder(emit, commit, clock, backend.name, self._fail)

        self._to_run = 0
        self._detach = False
        self._nursery: trio.Nursery | None = None
        self._changed = trio.Event()

        self._waiting = PendingAttempts(
            capacity, builds, self._build_needs, adopt=self._start, end=self._end_unstarted, full=self._full
        )
        self._jobs: dict[str, AttemptRunner] = {}
        self._submitting = 0
        self._held_there: set[AttemptRunner] = set()  # for a `max_parallel` that the backend keeps
        # With a limit on failures, the next one starts only when it is known that it may.
        self._prefetch = Prefetch(0 if policy.stop else backend.prefetch_limit)
        self._begun: deque[AttemptRunner] = deque()

        self._meter = UtilizationMeter()
        self._to_cancel: set[str] = set()
        self._cancelled_waiting = True
        self._interrupts = 0
        self._closing = False
        self._ending = False
        self._error: Exception | None = None

    async def run(self, todo: Iterable[PlannedAttempt | None], to_run: int, detach: bool = False) -> ApplyEnded:
        """Bring every session to an end, emit ApplyEnded and return it.

        `todo` is pulled as needed; what is to be adopted has to come first, because its room is taken already. A None in
        it is a pause: whoever looks long for the next session gives everybody else a turn.
        With `detach`, and a backend whose jobs outlive the client, it returns when nothing is left to submit.
        Raises, as one plain exception, what `emit`, `prepare`, `collect`, `builds` or the backend raised, once all
        that ran has ended.
        """
        self._waiting.begin(todo)
        self._to_run = to_run
        self._detach = detach and self._backend.outlives_client
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    await self._schedule()
                except Exception as error:
                    self._fail(error)
                except BaseException:
                    self._give_up("runner was cancelled")
                    raise
        except BaseException as error:
            raise self._error or _single(error) from None
        summary = self._record.summary(to_run, self.usage)
        if self._error is None:
            self._record.tell(summary)
        self._record.commit()
        if self._error is not None:
            raise self._error
        return summary

    def interrupt(self, reason: str) -> None:
        """Start nothing more and end what runs, with grace; when asked again, at once."""
        self._interrupts += 1
        if self._interrupts <= 2:
            now = self._interrupts == 2
            self._record.tell(ApplyInterrupted(self._clock(), reason, now))
            self._close(reason, grace=0.0 if now else None)

    def commit(self) -> None:
        """Make what was emitted last, for whoever sees to it that it never waits for long."""
        self._record.commit()

    def cancel(self, sessions: Collection[str]) -> None:
        """End these sessions as cancelled, whether they run or wait; they are not tried again."""
        self._to_cancel.update(sessions)
        for job in self._jobs.values():
            if job.entry.build is None and job.entry.session.id in self._to_cancel:
                job.ask(Outcome.CANCELLED, CANCELLED, job.attempt.grace)
        self._cancelled_waiting = False
        self._changed.set()

    def snapshot(self) -> Snapshot:
        """What runs and waits right now."""
        running = tuple(
            Running(job.entry.session, job.entry.attempt, job.id, job.started, job.waiting, job.lease)
            for job in self._jobs.values()
            if job.entry.build is None and job.lease is not None
        )
        ahead = len(self._prefetch)
        building = len(self._jobs) - len(running) - ahead
        return Snapshot(
            running, building, self._waiting.queued + ahead, self._waiting.backing_off, self._capacity.in_use
        )

    @property
    def usage(self) -> Usage:
        """How busy the capacity was until now."""
        return self._meter.usage

    async def _schedule(self) -> None:
        """Start what fits and wait for a change, until nothing is left. Room is taken before a task is."""
        while True:
            self._changed = trio.Event()
            self._cancel_waiting()
            for entry, lease in self._waiting.startable(trio.current_time()):
                self._start(entry, lease)
            self._hand_ahead()
            self._meter.look(trio.current_time(), self._capacity, self._next_needs(), bool(self._held_there))
            if self._waiting.out_of_breath:
                await trio.lowlevel.checkpoint()
            elif self._all_submitted() and (not self._jobs or self._may_leave()):
                for job in self._jobs.values():
                    job.leave()
                return
            else:
                look = self._next_look()
                if look == math.inf:
                    await self._changed.wait()
                else:
                    with trio.move_on_at(look):
                        await self._changed.wait()

    def _next_needs(self) -> Resources | None:
        """What the next session to start needs, as far as it is known; None if none is left."""
        if first := self._prefetch.first or self._waiting.first:
            return first.resources
        return None if self._waiting.exhausted or self._closing else {}

    def _all_submitted(self) -> bool:
        return self._closing or self._waiting.over

    def _may_leave(self) -> bool:
        """Whether all that still has a job can do without us."""
        wanted = self._detach and not self._submitting
        return wanted and all(job.asked is None for job in self._jobs.values())

    def _next_look(self) -> float:
        """When to look again although nothing has changed. Trio's time."""
        if self._closing:
            return math.inf
        waiting = self._waiting
        if waiting.queued and self._capacity.contended:
            return min(waiting.next_retry, trio.current_time() + LOCK_POLL)
        if waiting.queued and not self._jobs and not waiting.backing_off:
            raise RuntimeError("nothing runs, and nothing that waits fits")
        return waiting.next_retry

    def _full(self) -> bool:
        """Whether nothing more is wanted of the plan. What comes again or waits for its build may still be more than is taken."""
        return self._closing or (self._backend.max_jobs is not None and len(self._jobs) >= self._backend.max_jobs)

    def _build_needs(self, session: Session) -> Resources:
        """Here a build may take what there is, and counts as one cpu; a cluster gives it what its first session asks for."""
        if self._backend.outlives_client:
            return session.resources
        return {"cpu": min(1, self._capacity.limits.get("cpu", 1))}

    def _cancel_waiting(self) -> None:
        if self._cancelled_waiting or self._closing:
            return
        self._cancelled_waiting = True
        for entry in self._waiting.cancel(self._to_cancel):
            self._end_unstarted(entry, Outcome.CANCELLED, CANCELLED)

    def _hand_ahead(self) -> None:
        """Let the backend have what is next in line before there is room for it."""
        for _ in range(self._prefetch.lacking):
            entry = (
                None
                if self._closing
                else self._waiting.next(lambda it: self._prefetch.start_when_below(it) is not None)
            )
            if entry is None:
                return
            self._begin(entry, lease=None, start_when_below=self._prefetch.start_when_below(entry))

    def _start(self, entry: Entry, lease: Lease, adopt: str | None = None) -> None:
        begun = False
        try:
            begun = not self._closing and self._begin(entry, lease, adopt)
        finally:
            if not begun:
                self._capacity.release(lease)

    def _begin(
        self, entry: Entry, lease: Lease | None, adopt: str | None = None, start_when_below: int | None = None
    ) -> bool:
        attempt = self._attempt(entry, lease.devices if lease else (), start_when_below)
        if adopt is None and entry.build is None:
            self._make_ready(entry.session, entry.attempt, entry.retries)
        job = AttemptRunner(self._backend, entry, attempt, lease, self._record, self._waits_there, adopt)
        self._jobs[attempt.name] = job
        if not self._record.begun(entry, attempt, adopt):
            del self._jobs[attempt.name]
            return False
        self._submitting += 1
        self._prefetch.begun(job)
        if entry.build is None and entry.session.id in self._to_cancel:
            job.ask(Outcome.CANCELLED, CANCELLED, attempt.grace)
        assert self._nursery is not None
        self._begun.append(job)
        self._nursery.start_soon(self._attend)
        return True

    def _attempt(self, entry: Entry, devices: tuple[str, ...] = (), start_when_below: int | None = None) -> Attempt:
        if entry.build is None:
            return self._prepare(entry.session, entry.attempt, devices, start_when_below)
        assert self._builds is not None
        return self._builds.attempt(entry.session)

    async def _attend(self) -> None:
        """See the job through that has waited longest for it: trio starts tasks in any order, but the backend must get those that
        go ahead after all that has room, and in the order in which they will get theirs.

        Shielded throughout: whoever wants it to end asks the job.
        """
        job = self._begun.popleft()
        ended: AttemptEnd | None = None
        again = False
        try:
            ended = await job.run(self._submitted)
        except Exception as error:
            self._fail(error)
            ended = await job.salvage()
        try:
            await job.has_room()
            if ended is not None:
                again = await self._finish(job, ended)
        except Exception as error:
            self._fail(error)
        del self._jobs[job.attempt.name]
        self._held_there.discard(job)
        lease = self._prefetch.ended(job, ended.duration if ended and not again else None)
        if lease is not None:
            self._capacity.release(lease)
        self._changed.set()

    def _waits_there(self, job: AttemptRunner) -> None:
        """It waits at the backend for something, or no more."""
        if job.waiting == FOR_MAX_PARALLEL:
            self._held_there.add(job)
        else:
            self._held_there.discard(job)
        self._changed.set()

    def _submitted(self) -> None:
        self._submitting -= 1
        if self._detach:
            self._changed.set()

    async def _finish(self, job: AttemptRunner, ended: AttemptEnd) -> bool:
        """Whether it is to be tried again."""
        entry = job.entry
        if self._capacity.kept_there is not None and job.started is not None and ended.duration is not None:
            # That it has ended may be told late, and by a later apply than the one that began it.
            ago = max(0.0, self._clock() - (job.started.at + ended.duration))
            self._meter.ran(trio.current_time() - ago, ended.duration)
        if entry.build is not None:
            self._finish_build(entry.build, ended)
            return False
        metrics: Mapping[str, Scalar] = {}
        if self._collect is not None and ended.outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
            with trio.CancelScope(shield=True):
                metrics = await self._collect(job.attempt, ended)
        pause = None
        charged = not restart(ended, entry.restarts)
        if not self._closing and entry.session.id not in self._to_cancel:
            pause = retry_pause(self._policy.retry, ended.outcome, entry.retries) if charged else 0.0
        self._end(entry, ended, metrics, pause)
        if pause is not None:
            self._waiting.again(entry, trio.current_time() + pause, ended.outcome, charged=charged)
        return pause is not None

    def _finish_build(self, key: str, ended: AttemptEnd) -> None:
        assert self._builds is not None
        self._record.build_ended(key, ended)
        self._builds.finished(key, ended)
        if ended.outcome is Outcome.SUCCEEDED:
            self._waiting.built(key)
        elif not self._ending:
            self._waiting.not_built(key, Reason(Cause.BUILD, describe(ended) or "exit code 0"))

    def _end_unstarted(self, entry: Entry, outcome: Outcome, reason: Reason) -> None:
        """An attempt that ends before the backend hears of it."""
        if self._record.begun(entry, self._attempt(entry)):
            self._end(entry, AttemptEnd(outcome=outcome, reason=reason), {}, None)

    def _end(self, entry: Entry, ended: AttemptEnd, metrics: Mapping[str, Scalar], retry_in: float | None) -> None:
        self._record.ended(entry, ended, metrics, retry_in)
        self._put_away(entry.session.id, entry.attempt, ended)
        reason = stop_reason(self._policy.stop, self._record.failed, self._to_run)
        if reason is not None and not self._closing:
            self._closing = True
            self._record.tell(StopReached(self._clock(), reason))

    def _fail(self, error: Exception) -> None:
        """The first error is the one that `run` raises."""
        if self._error is None:
            single = _single(error)
            self._error = single if isinstance(single, Exception) else error
        self._give_up(f"runner stopped: {self._error}")

    def _give_up(self, reason: str) -> None:
        """Nobody asked for the end of the jobs: those that can do without us are left to a later apply."""
        if not self._backend.outlives_client:
            self._close(reason)
            return
        self._closing = self._ending = True
        for job in self._jobs.values():
            job.leave()
        self._changed.set()

    def _close(self, reason: str, grace: float | None = None) -> None:
        """Start nothing more and end what runs, in bounded time."""
        self._closing = self._ending = True
        for job in self._jobs.values():
            seconds = job.attempt.grace if grace is None else grace
            job.ask(Outcome.CANCELLED, Reason(Cause.REQUEST, reason), seconds, trio.current_time() + seconds + ENDING)
        self._changed.set()


def _single(error: BaseException) -> BaseException:
    """The first plain exception of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
