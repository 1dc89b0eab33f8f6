"""Apply: bring together plan, state, backend and executor, and let the facts flow.

Everything that decides is elsewhere: the plan says what there is, the history what is done, the executor what runs
when. This module opens the parts in the right order and closes them whatever happens.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio

import runner
from runner.apply.attempts import make_attempt, params_json
from runner.apply.builds import Builds
from runner.apply.metrics_worker import Collector
from runner.apply.provenance import Provenance
from runner.apply.recovery import HERE, settle
from runner.apply.refresh import refreshing
from runner.apply.selection import Choice, History
from runner.apply.signals import watch_signals, watch_stops
from runner.apply.todo import Chosen
from runner.backends import BACKENDS
from runner.config import files
from runner.errors import InvalidInput
from runner.events import ApplyEnded, ApplyStarted, Event
from runner.executor.capacity import Capacity
from runner.executor.executor import Executor
from runner.model import Attempt, AttemptEnd, Outcome, Scalar, Session
from runner.plan.plan import Plan
from runner.state import State

CANCEL_POLL = 1.0
"""Seconds between two looks for a request of `runner cancel`."""

COMMIT_SECONDS = 0.005
"""How long what has happened may stay in memory alone. Nobody has been told of it until then, and a job's name is on the disk
before the job is: killed meanwhile, runner runs it again."""


@dataclass(frozen=True)
class Applied:
    """How an apply went: its last event, and the signal that ended it early, if one did.

    `left` counts the selected sessions that have not succeeded and that were not to run; `running` are the jobs that run
    on without runner, by backend.
    """

    ended: ApplyEnded
    left: int
    signal: int | None
    running: Mapping[str, int]

    @property
    def succeeded(self) -> bool:
        """Whether every selected session has succeeded, now or before; or, when detached, still may."""
        bad = sum(count for outcome, count in self.ended.outcomes.items() if outcome is not Outcome.SUCCEEDED)
        return not (bad or self.ended.not_run > sum(self.running.values()) or self.left)


class Apply:
    """One apply of a plan, with the state held for writing.

    `show` takes every event once the journal has it; `tick` is called every so many seconds, for displays that move while
    nothing happens. `leave_terminal` are called when Ctrl-Z is about to stop runner, and when it goes on.
    """

    def __init__(
        self,
        plan: Plan,
        state: State,
        capacity: Capacity,
        choice: Choice,
        provenance: Provenance,
        environ: Mapping[str, str],
        show: Sequence[Callable[[Event], None]],
        tick: tuple[float, Callable[[], None]],
        detach: bool = False,
        leave_terminal: tuple[Callable[[], None], Callable[[], None]] | None = None,
    ) -> None:
        self.plan = plan
        self.sweep = plan.sweep
        self.state = state
        self.capacity = capacity
        self.choice = choice
        self.provenance = provenance
        self.environ = dict(environ)  # os.environ would encode each name that is looked up
        self.show = list(show)
        self.tick = tick
        self.leave_terminal = leave_terminal
        self.detach = detach
        self.remote = plan.sweep.backend.kind != "local"
        self.files = tuple(files.paths(plan.sweep)) if self.remote else ()
        self.secrets = _secrets(plan, environ)
        self.builds = Builds(self.sweep, plan.recipe, state, self.secrets)
        history = History(state.journal, plan.recipe, live=False, ignore_files=choice.ignore_files)
        kinds = (HERE, self.sweep.backend.kind)
        elsewhere = {attempt.session for attempt in state.journal.open_attempts() if attempt.backend not in kinds}
        self.chosen = Chosen(plan, history, choice, elsewhere)
        self.signal: int | None = None
        self._settling = trio.CancelScope()
        self._untold: list[Event] = []
        self._noted = trio.Event()

    def emit(self, event: Event) -> None:
        """First the journal; whoever shows things comes after its commit."""
        try:
            self.state.journal.note(event)
        except BaseException:
            self._untold.clear()
            raise
        self._untold.append(event)
        self._noted.set()

    def commit(self) -> None:
        """Make what was emitted last, and show it."""
        told, self._untold = self._untold, []
        self.state.journal.commit()
        for event in told:
            for show in list(self.show):
                self._look(show, event)

    def _look(self, show: Callable[[Event], None], event: Event) -> None:
        """Whoever looks on may go away, a closed pipe or terminal: the sweep goes on without them."""
        try:
            show(event)
        except OSError:
            self.show.remove(show)

    def run(self) -> Applied:
        """Run the difference. Raises EnvironmentFailed; nothing that was recorded is lost by it."""
        to_run, left = self.chosen.count()
        try:
            ended = trio.run(self._run, to_run)
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            self.commit()
        left_open = self.state.journal.open_attempts()
        running = Counter(attempt.backend for attempt in left_open if attempt.backend != HERE)
        if not left_open and not self.state.journal.open_builds():
            self.state.remove_jobs()
        return Applied(ended, left, self.signal, running)

    async def _run(self, to_run: int) -> ApplyEnded:
        kind = self.sweep.backend.kind
        async with (
            Collector(self.sweep.metrics) as self.collector,
            BACKENDS[kind](self.sweep.backend.options, self.environ, self.state.jobs(kind)) as backend,
        ):
            executor = Executor(
                backend=backend,
                capacity=self.capacity,
                policy=self.sweep.policy,
                emit=self.emit,
                prepare=self._prepare,
                make_ready=self._make_ready,
                collect=self._collect if self.sweep.metrics else None,
                put_away=self._put_away,
                commit=self.commit,
                builds=self.builds,
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch_signals, self._on_signal(executor))
                if self.leave_terminal is not None:
                    nursery.start_soon(watch_stops, *self.leave_terminal)
                nursery.start_soon(self._watch_cancel_requests, executor)
                nursery.start_soon(self._ticking)
                nursery.start_soon(self._committing, executor)
                self._announce(to_run)
                self.commit()
                adopted: dict[str, str] = {}
                with self._settling:
                    settled = await settle(self.state, backend, self.sweep.policy.grace, self.emit, self._in_plan)
                    adopted = settled.adopt
                if self.plan.count == 1 and self.remote:
                    nursery.start_soon(refreshing, backend, executor)
                ended = await executor.run(self.chosen.todo(to_run, adopted), to_run, self.detach)
                nursery.cancel_scope.cancel()
        return ended

    def _on_signal(self, executor: Executor) -> Callable[[int, str], None]:
        def interrupt(number: int, name: str) -> None:
            self.signal = self.signal or number
            executor.interrupt(name)
            self._settling.cancel()  # what is not settled stays open in the journal

        return interrupt

    async def _watch_cancel_requests(self, executor: Executor) -> None:
        while True:
            for request in self.state.take_cancel_requests():
                if request is None:
                    executor.interrupt("cancelled by `runner cancel`")
                else:
                    executor.cancel(request)
            await trio.sleep(CANCEL_POLL)

    async def _committing(self, executor: Executor) -> None:
        while True:
            await self._noted.wait()
            await trio.sleep(COMMIT_SECONDS)
            self._noted = trio.Event()
            executor.commit()

    async def _ticking(self) -> None:
        seconds, tick = self.tick
        with suppress(OSError):
            while True:
                tick()
                await trio.sleep(seconds)

    def _in_plan(self, sessions: frozenset[str]) -> frozenset[str]:
        """Which of these the file still has."""
        return frozenset(session.id for session in self.plan if session.id in sessions)

    def _announce(self, to_run: int) -> None:
        sweep = self.sweep
        self.emit(
            ApplyStarted(
                at=time.time(),
                sweep=sweep.name,
                total=self.plan.count,
                to_run=to_run,
                backend=sweep.backend.kind,
                capacity=self.capacity.limits,
                max_parallel=self.capacity.max_parallel or self.capacity.kept_there,
                host=self.provenance.host,
                user=self.provenance.user,
                pid=self.provenance.pid,
                version=runner.__version__,
                commit=self.provenance.commit,
                dirty=self.provenance.dirty,
                text=sweep.source.text,
                recipe=self.plan.recipe,
            )
        )

    def _prepare(
        self, session: Session, number: int, devices: tuple[str, ...], start_when_below: int | None
    ) -> Attempt:
        return make_attempt(
            self.sweep,
            self.state,
            session,
            number,
            devices,
            start_when_below,
            secrets=self.secrets,
            surroundings={} if self.remote else self.environ,
            root=self.builds.root(session),
            files=self.files if session.build is None else None,
        )

    def _make_ready(self, session: Session, number: int, retries: int) -> None:
        """`--fresh` empties the output folder once for each session: its retries go on from their checkpoints."""
        self.state.prepare(session.id, number, params_json(session), empty=self.choice.fresh and not retries)

    def _put_away(self, session: str, number: int, ended: AttemptEnd) -> None:
        self.state.tidy(session, number, over=ended.drained)

    async def _collect(self, attempt: Attempt, ended: AttemptEnd) -> Mapping[str, Scalar]:
        return await self.collector.collect(Path(attempt.output), Path(attempt.stdout))


def _secrets(plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    missing = [name for name in plan.sweep.secrets if name not in environ]
    if missing:
        raise InvalidInput(
            f"secret `{missing[0]}` is not set in the environment",
            f"set it where runner starts: `export {missing[0]}=…`",
        )
    return {name: environ[name] for name in plan.sweep.secrets}


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception: a nursery makes a group even of one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
