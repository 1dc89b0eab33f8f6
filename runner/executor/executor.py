"""The loop that turns a plan into jobs: order, capacity, retries, builds, cancellation."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable

import trio

from runner.backends.base import Backend
from runner.clock import now
from runner.errors import InputsChanged
from runner.events import ApplyEnded, ApplyInterrupted, ApplyWaiting, StopReached
from runner.executor.attempt_runner import AttemptRunner
from runner.executor.capacity import Capacity, Lease
from runner.executor.completion import Completion
from runner.executor.pending import CANCELLED, PendingAttempts
from runner.executor.policy import build_resources, stop_reason
from runner.executor.prefetch import Prefetch
from runner.executor.queue import Entry
from runner.executor.recorder import Recorder
from runner.executor.runners import Runners
from runner.executor.shutdown import Mode, Shutdown, plain_error
from runner.executor.types import Builds, Host, Snapshot
from runner.executor.utilization import UtilizationMeter
from runner.model import AttemptEnd, Outcome, PlannedAttempt, Policy, Reason, Usage

LOCK_POLL = 1.0
"""Seconds between two tries for a device that another process holds."""


class Executor:
    """Runs the sessions of one apply, with one call of `run`. `clock` gives Unix time."""

    def __init__(
        self,
        *,
        backend: Backend,
        capacity: Capacity,
        policy: Policy,
        host: Host,
        builds: Builds | None = None,
        clock: Callable[[], float] = now,
    ) -> None:
        self._backend = backend
        self._capacity = capacity
        self._policy = policy
        self._host = host
        self._builds = builds
        self._clock = clock

        self._runners = Runners()
        self._shutdown = Shutdown(self._runners, outlives_client=backend.outlives_client, on_change=self._wake)
        self._recorder = Recorder(host, clock, backend.name, self._shutdown.fail)
        self._pending = PendingAttempts(
            capacity=capacity,
            builds=builds,
            build_resources=lambda session: build_resources(session, capacity.limits, remote=backend.outlives_client),
            adopt=self._start,
            end=self._end_unstarted,
            full=self._full,
        )
        self._completion = Completion(
            host=host, builds=builds, retry=policy.retry, recorder=self._recorder, pending=self._pending
        )
        # With a limit on failures, the next attempt starts only once the end of the one before is known.
        self._prefetch = Prefetch(0 if policy.stop else backend.prefetch_limit)
        self._meter = UtilizationMeter()

        self._unattended: deque[AttemptRunner] = deque()
        self._nursery: trio.Nursery | None = None
        self._changed = trio.Event()

        self._to_run = 0
        self._detach = False
        self._interrupts = 0
        self._cancelled: set[str] = set()
        self._cancel_pending = False
        self._waits: str | None = None

    async def run(self, plan: Iterable[PlannedAttempt | None], to_run: int, detach: bool = False) -> ApplyEnded:
        """Bring every session to an end, emit ApplyEnded and return it.

        plan: pulled as needed. Attempts to adopt come first, because they use capacity already. None lets other tasks run.
        to_run: how many sessions the plan has.
        detach: return when nothing is left to submit, if the jobs outlive runner.

        Raises, once all jobs have ended, the first exception of `host`, `builds` or the backend, as one plain exception.
        """
        self._pending.begin(plan)
        self._to_run = to_run
        self._detach = detach and self._backend.outlives_client
        try:
            async with trio.open_nursery() as committing:
                committing.start_soon(self._recorder.commit_in_time)
                try:
                    async with trio.open_nursery() as self._nursery:
                        await self._schedule_or_give_up()
                finally:
                    self._recorder.close()
        except BaseException as error:
            raise self._shutdown.error or plain_error(error) from None
        summary = self._recorder.summary(to_run, self.usage)
        if self._shutdown.error is None:
            self._recorder.tell(summary)
        self._recorder.commit()
        if self._shutdown.error is not None:
            raise self._shutdown.error
        return summary

    def interrupt(self, reason: str) -> None:
        """Start nothing more and cancel all jobs, with their grace; at the second call, at once."""
        self._interrupts += 1
        if self._interrupts <= 2:
            now = self._interrupts == 2
            self._recorder.tell(ApplyInterrupted(self._clock(), reason, now))
            self._shutdown.cancel_all(reason, 0.0 if now else None)

    def cancel(self, sessions: Collection[str]) -> None:
        """End these sessions as cancelled, running or not. They are not retried."""
        self._cancelled.update(sessions)
        self._runners.cancel_sessions(self._cancelled)
        self._cancel_pending = True
        self._wake()

    def snapshot(self) -> Snapshot:
        """What runs and waits at this moment."""
        running = self._runners.running()
        prefetched = len(self._prefetch)
        return Snapshot(
            running=running,
            building=len(self._runners) - len(running) - prefetched,
            queued=self._pending.queued + prefetched,
            backing_off=self._pending.backing_off,
            in_use=self._capacity.in_use,
        )

    @property
    def usage(self) -> Usage:
        """How busy the capacity was from the first start until now."""
        return self._meter.usage

    def _wake(self) -> None:
        """Have the scheduler look again."""
        self._changed.set()

    # Starting

    async def _schedule_or_give_up(self) -> None:
        try:
            await self._schedule()
        except Exception as error:
            self._shutdown.fail(error)
        except BaseException:
            self._shutdown.give_up("runner was cancelled")
            raise

    async def _schedule(self) -> None:
        """Start what fits, then wait for a change, until nothing is left to start or to wait for."""
        while True:
            self._changed = trio.Event()
            await self._check_inputs()
            self._end_cancelled()
            for entry, lease in self._pending.startable(trio.current_time()):
                self._start(entry, lease)
            self._start_prefetched()
            self._tell_contention()
            self._measure()
            if self._pending.turn_over:
                await trio.lowlevel.checkpoint()
            elif self._finished():
                self._runners.leave_all()  # only when detaching are there any
                return
            elif (wake_at := self._next_wake()) == math.inf:
                await self._changed.wait()
            else:
                with trio.move_on_at(wake_at):
                    await self._changed.wait()

    def _tell_contention(self) -> None:
        """Say which device of another process the queue waits for, and when it no longer does."""
        waits = self._capacity.contention if self._pending.queued and not self._shutdown.closing else None
        if waits != self._waits:
            self._waits = waits
            self._recorder.tell(ApplyWaiting(self._clock(), waits))

    async def _check_inputs(self) -> None:
        """Start nothing more if the inputs are not those of the plan."""
        if not self._shutdown.closing and not self._pending.empty:
            reason = await self._host.check_inputs()
            if reason is not None:
                self._drain(reason)

    def _finished(self) -> bool:
        """Whether nothing is left to start, and nothing to wait for."""
        started = self._shutdown.closing or self._pending.empty
        return started and (not self._runners or (self._detach and self._runners.detachable))

    def _measure(self) -> None:
        """Record the utilization from now on, and what the next session to start lacks."""
        first = self._prefetch.first or self._pending.first
        none_left = self._pending.exhausted or self._shutdown.closing
        needs = first.resources if first else None if none_left else {}
        self._meter.record(trio.current_time(), self._capacity, needs, self._runners.limited_by_backend)

    def _next_wake(self) -> float:
        """When to look again if nothing changes, in trio's time."""
        if self._shutdown.closing:
            return math.inf
        pending = self._pending
        if pending.queued and self._capacity.contended:
            return min(pending.next_retry, trio.current_time() + LOCK_POLL)
        if pending.queued and not self._runners and not pending.backing_off:
            raise RuntimeError("nothing runs, and nothing in the queue fits into the capacity")
        return pending.next_retry

    def _full(self) -> bool:
        """Whether to take no more sessions from the plan. Retries and builds may exceed `max_jobs` by a few."""
        most = self._backend.max_jobs
        return self._shutdown.closing or (most is not None and len(self._runners) >= most)

    def _start_prefetched(self) -> None:
        for _ in range(self._prefetch.wanted):
            if self._shutdown.closing:
                return
            entry = self._pending.next(lambda entry: self._prefetch.start_when_below(entry) is not None)
            if entry is None:
                return
            self._begin(entry, lease=None, start_when_below=self._prefetch.start_when_below(entry))

    def _start(self, entry: Entry, lease: Lease) -> None:
        begun = False
        try:
            begun = not self._shutdown.closing and self._begin(entry, lease)
        finally:
            if not begun:
                self._capacity.release(lease)

    def _begin(self, entry: Entry, lease: Lease | None, start_when_below: int | None = None) -> bool:
        """Emit the intent and start a task for the attempt. False if the intent could not be emitted."""
        if entry.build is not None:
            assert self._builds is not None
            try:
                attempt = self._builds.attempt(entry.session)
            except InputsChanged as error:
                self._drain(error.message)
                return False
        else:
            devices = lease.devices if lease else ()
            attempt = self._host.make_attempt(entry.session, entry.attempt, devices, start_when_below)
            if entry.adopt is None:
                self._host.create_files(entry.session, entry.attempt, entry.retries)
        runner = AttemptRunner(
            backend=self._backend,
            entry=entry,
            attempt=attempt,
            lease=lease,
            recorder=self._recorder,
            on_change=self._on_change,
        )
        self._runners.add(runner)  # before the event: its display may ask for a snapshot
        if not self._recorder.begun(entry, attempt):
            self._runners.remove(runner)
            return False
        self._prefetch.begun(runner)
        if entry.build is None and entry.session.id in self._cancelled:
            runner.request_stop(Outcome.CANCELLED, CANCELLED, attempt.grace)
        assert self._nursery is not None
        self._unattended.append(runner)
        self._nursery.start_soon(self._attend)
        return True

    # Running and ending

    async def _attend(self) -> None:
        """Run the attempt that has waited longest for a task, complete its end, and pass on its lease.

        Trio starts tasks in any order, but attempts are submitted in theirs (see `prefetch`).
        Each wait is shielded from the cancellation of `run`: only requests to the runner cut it short.
        """
        runner = self._unattended.popleft()
        end: AttemptEnd | None = None
        again = False
        try:
            end = await runner.run()
        except Exception as error:
            self._shutdown.fail(error)
            end = await runner.recover()
        with trio.CancelScope(shield=True):
            try:
                await runner.has_lease()
                if end is not None:
                    again = await self._complete(runner, end)
            except Exception as error:
                self._shutdown.fail(error)
        self._runners.remove(runner)
        lease = self._prefetch.ended(runner, end.duration if end and not again else None)
        if lease is not None:
            self._capacity.release(lease)
        self._wake()

    async def _complete(self, runner: AttemptRunner, end: AttemptEnd) -> bool:
        """Whether there is another attempt."""
        if self._capacity.kept_there is not None and runner.started is not None and end.duration is not None:
            # The end may be known late, and to a later apply than the one that submitted the job.
            ago = max(0.0, self._clock() - (runner.started.at + end.duration))
            self._meter.ran(trio.current_time() - ago, end.duration)
        if runner.entry.build is not None:
            self._completion.build(runner.entry.build, end, fail_sessions=self._shutdown.mode is not Mode.ENDING)
            return False
        session = runner.entry.session.id
        again = await self._completion.attempt(
            runner, end, lambda: not self._shutdown.closing and session not in self._cancelled
        )
        if end.outcome is Outcome.STALE and end.reason is not None and end.reason.detail is not None:
            self._drain(end.reason.detail)  # the submission found it: of other ends, `check_inputs` says so
        self._check_stop_rule()
        return again

    def _on_change(self, runner: AttemptRunner) -> None:
        """It was submitted, or its reason for waiting has changed."""
        if self._runners.update_limited(runner) or self._detach:
            self._wake()

    def _end_unstarted(self, entry: Entry, outcome: Outcome, reason: Reason) -> None:
        self._completion.unstarted(entry, outcome, reason)
        self._check_stop_rule()

    def _end_cancelled(self) -> None:
        """End the queued attempts of cancelled sessions."""
        if self._cancel_pending and not self._shutdown.closing:
            self._cancel_pending = False
            for entry in self._pending.cancel(self._cancelled):
                self._end_unstarted(entry, Outcome.CANCELLED, CANCELLED)

    def _check_stop_rule(self) -> None:
        reason = stop_reason(self._policy.stop, self._recorder.failed, self._to_run)
        if reason is not None:
            self._drain(reason)

    def _drain(self, reason: str) -> None:
        if not self._shutdown.closing:
            self._shutdown.drain()
            self._recorder.tell(StopReached(self._clock(), reason))
