"""Apply: open plan, state, backend and executor in order, and close them in every case."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import trio

import runner
from runner import clock
from runner.apply.attempts import AttemptFactory
from runner.apply.builds import Builds
from runner.apply.collector import Collector
from runner.apply.event_log import EventLog
from runner.apply.host import ApplyHost
from runner.apply.input_check import InputCheck, stop_reason
from runner.apply.leftover_inputs import LeftoverInputs
from runner.apply.log_refresh import refresh_log
from runner.apply.masking import Masking
from runner.apply.provenance import Provenance
from runner.apply.recollection import recollect
from runner.apply.recovery import LOCAL, recover
from runner.apply.selection import Choice, History, Selection
from runner.apply.signals import watch_signals, watch_stops
from runner.backends import BACKENDS, UPLOADS
from runner.config import snapshots
from runner.config.inputs import Change, Inputs
from runner.config.metrics import digests
from runner.diagnostics import InvalidSweep
from runner.events import ApplyEnded, ApplyStarted, Event
from runner.executor.capacity import Capacity
from runner.executor.executor import Executor
from runner.executor.shutdown import plain_error
from runner.model import Outcome
from runner.plan.plan import Plan
from runner.state import State
from runner.state.snapshots import ContentDiffers, Interrupted

CANCEL_POLL = 1.0
"""Seconds between two looks for a request of `runner cancel`."""


@dataclass(frozen=True)
class Applied:
    """How an apply went.

    ended: its last event.
    left: how many selected sessions have not succeeded and were not to be run.
    signal: number of the signal that ended it early, None if none did.
    running: how many jobs run on without runner, by backend.
    """

    ended: ApplyEnded
    left: int
    signal: int | None
    running: Mapping[str, int]

    @property
    def succeeded(self) -> bool:
        """Whether every selected session has succeeded, in this apply or before, or still may if it runs on."""
        bad = sum(count for outcome, count in self.ended.outcomes.items() if outcome is not Outcome.SUCCEEDED)
        return not (bad or self.ended.not_run > sum(self.running.values()) or self.left)


@dataclass(frozen=True)
class Audience:
    """What displays an apply.

    consumers: called with every event, once it is committed.
    tick: called every `seconds`.
    leave_terminal: called before Ctrl-Z stops runner, and when it continues.
    """

    consumers: Sequence[Callable[[Event], None]]
    seconds: float
    tick: Callable[[], None]
    leave_terminal: tuple[Callable[[], None], Callable[[], None]] | None = None


class Apply:
    """One apply of a plan. The caller holds the state open for writing."""

    def __init__(
        self,
        plan: Plan,
        state: State,
        capacity: Capacity,
        choice: Choice,
        provenance: Provenance,
        audience: Audience,
        *,
        environ: Mapping[str, str],
        detach: bool = False,
    ) -> None:
        self._plan = plan
        self._sweep = plan.sweep
        self._state = state
        self._capacity = capacity
        self._choice = choice
        self._provenance = provenance
        self._audience = audience
        self._environ = dict(environ)
        self._detach = detach
        secrets = _secrets(plan, environ)
        self._masking = Masking(state, secrets, whole_logs=plan.sweep.mask_logs)
        self._events = EventLog(state.journal, audience.consumers, self._masking)
        self._builds = Builds(self._sweep, plan.recipe, state, secrets)
        self._attempts = AttemptFactory(
            self._sweep,
            state,
            self._builds,
            secrets=secrets,
            environ=environ,
            digests=plan.recipe.parts.get("files", {}),
        )
        history = History(state.journal, plan.recipe, live=False, ignore_files=choice.ignore_files)
        kind = self._sweep.backend.kind
        attempts = state.journal.open_attempts()
        self._selection = Selection(
            plan,
            history,
            choice,
            elsewhere={attempt.session for attempt in attempts if attempt.backend not in (LOCAL, kind)},
            adoptable={attempt.session for attempt in attempts if attempt.backend == kind != LOCAL},
        )
        self._inputs = InputCheck(queued=kind != LOCAL)
        self._signal: int | None = None
        self._recovery = trio.CancelScope()
        self._recollection = trio.CancelScope()

    def run(self) -> Applied:
        """Run what is selected. Raises EnvironmentFailed; what was recorded until then is kept."""
        to_run, left = self._selection.count()
        try:
            ended = trio.run(self._run, to_run)
        except BaseExceptionGroup as group:
            raise plain_error(group) from None
        finally:
            self._events.commit()
        left_open = self._state.journal.open_attempts()
        running = Counter(attempt.backend for attempt in left_open if attempt.backend != LOCAL)
        if not left_open and not self._state.journal.open_builds():
            self._state.remove_jobs()
        return Applied(ended, left, self._signal, running)

    async def _run(self, to_run: int) -> ApplyEnded:
        kind = self._sweep.backend.kind
        async with (
            Collector(self._sweep.metrics) as collector,
            BACKENDS[kind](self._sweep.backend.options, self._environ, self._state.jobs(kind)) as backend,
        ):
            host = ApplyHost(
                events=self._events,
                attempts=self._attempts,
                inputs=self._inputs,
                state=self._state,
                collector=collector,
                masking=self._masking,
                fresh=self._choice.fresh,
            )
            executor = Executor(
                backend=backend,
                capacity=self._capacity,
                policy=self._sweep.policy,
                host=host,
                builds=self._builds,
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch_signals, self._on_signal(executor))
                if self._audience.leave_terminal is not None:
                    nursery.start_soon(watch_stops, *self._audience.leave_terminal)
                nursery.start_soon(self._watch_cancel_requests, executor)
                nursery.start_soon(self._tick)
                self._events.record(self._apply_started(to_run))
                await self._prepare_inputs(to_run)
                adopted: dict[str, str] = {}
                with self._recovery:
                    grace = self._sweep.policy.grace
                    recovered = await recover(
                        self._state,
                        backend,
                        grace,
                        self._events.record,
                        self._selection.in_plan,
                        verified=LeftoverInputs(self._plan, self._state).verified,
                    )
                    adopted = recovered.adopted
                if self._plan.count == 1 and kind != LOCAL:
                    nursery.start_soon(refresh_log, backend, executor)
                async with trio.open_nursery() as work:
                    if not self._choice.fresh:  # outputs are emptied
                        work.start_soon(self._recollect, collector)
                    ended = await executor.run(self._selection.planned(to_run, adopted), to_run, self._detach)
                nursery.cancel_scope.cancel()
        return ended

    async def _prepare_inputs(self, to_run: int) -> None:
        """Have the inputs checked that the sessions will read, after copying them if they run in a snapshot."""
        kind, inputs = self._sweep.backend.kind, self._plan.inputs
        if self._sweep.build is not None or kind in UPLOADS or inputs is None:
            return
        if not snapshots.wanted(self._sweep, kind, uploads=False):
            self._inputs.watch(inputs)
            return
        folder = self._state.snapshots.path_of(inputs.digests)
        if to_run:
            stop = self._stopped
            try:
                await trio.to_thread.run_sync(self._state.snapshots.make, self._sweep.folder, inputs.digests, stop)
            except ContentDiffers as error:
                self._inputs.refuse(stop_reason(Change(error.path, "changed")))
                return
            except Interrupted:
                return
            if (change := await trio.to_thread.run_sync(inputs.check)) is not None:
                self._inputs.refuse(stop_reason(change))
        self._attempts.folder = folder
        self._inputs.watch(Inputs.of_copy(folder, inputs.digests, verified=bool(to_run)))

    def _stopped(self) -> bool:
        return self._signal is not None

    def _on_signal(self, executor: Executor) -> Callable[[int, str], None]:
        def interrupt(number: int, name: str) -> None:
            self._signal = self._signal or number
            executor.interrupt(name)
            self._recollection.cancel()  # the next apply continues
            self._recovery.cancel()  # attempts without a recorded end stay open in the journal

        return interrupt

    async def _recollect(self, collector: Collector) -> None:
        with self._recollection:
            folder, record = str(self._sweep.folder), self._events.record
            await recollect(self._state, self._sweep.metrics, collector, folder, record)

    async def _watch_cancel_requests(self, executor: Executor) -> None:
        while True:
            for request in self._state.take_cancel_requests():
                if request is None:
                    self._recollection.cancel()
                    executor.interrupt("cancelled by `runner cancel`")
                else:
                    executor.cancel(request)
            await trio.sleep(CANCEL_POLL)

    async def _tick(self) -> None:
        with suppress(OSError):
            while True:
                self._audience.tick()
                await trio.sleep(self._audience.seconds)

    def _apply_started(self, to_run: int) -> ApplyStarted:
        return ApplyStarted(
            at=clock.now(),
            sweep=self._sweep.name,
            total=self._plan.count,
            to_run=to_run,
            backend=self._sweep.backend.kind,
            capacity=self._capacity.limits,
            max_parallel=self._capacity.max_parallel or self._capacity.kept_there,
            host=self._provenance.host,
            user=self._provenance.user,
            pid=self._provenance.pid,
            version=runner.__version__,
            commit=self._provenance.commit,
            dirty=self._provenance.dirty,
            text=self._sweep.source.text,
            recipe=self._plan.recipe,
            file=self._file_from_state(),
            definitions=digests(self._sweep.metrics),
        )

    def _file_from_state(self) -> str | None:
        """The sweep file relative to the state, so that both can be moved together."""
        name = self._sweep.source.name
        if name.startswith("<"):
            return None
        return os.path.relpath(self._sweep.folder / os.path.basename(name), self._state.folder)


def _secrets(plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    if problems := list(plan.sweep.secrets.problems(environ, needed=True)):
        raise InvalidSweep(plan.sweep.source, problems)
    return plan.sweep.secrets.known(environ)
