"""Applies on the fake backend, in simulated time: a sweep of sessions in, the events out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

import trio
import trio.testing

from runner.events import (
    ApplyEnded,
    AttemptAdopted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    Event,
)
from runner.executor.capacity import Capacity, DeviceLocks
from runner.executor.executor import Executor
from runner.executor.types import Builds
from runner.model import (
    Amount,
    Attempt,
    AttemptEnd,
    Cause,
    Metrics,
    Outcome,
    PlannedAttempt,
    Policy,
    Reason,
    Resources,
    Session,
)
from runner.scalars import metric_from
from tests.fake_backend import Cluster, FakeBackend, FakeJob, Script

Scripts = Callable[[int, int], Script]
"""What the attempt of this number does, for the session at this index."""


def session(index: int, **resources: Amount) -> Session:
    return Session(
        index=index,
        id=f"{index:016x}",
        point=f"{index:016x}",
        repeat=0,
        params={},
        exec=("true",),
        env={},
        build=None,
        workdir=".",
        image=None,
        resources=resources,
    )


def sweep(count: int, **resources: Amount) -> list[Session]:
    return [session(index, **resources) for index in range(count)]


def each(script: Script) -> Scripts:
    return lambda index, number: script


def by_index(scripts: Mapping[int, Script], otherwise: Script = Script()) -> Scripts:  # noqa: B008
    return lambda index, number: scripts.get(index, otherwise)


def attempt_of(session: Session, number: int, policy: Policy) -> Attempt:
    return Attempt(
        name=f"state-{session.id}-{number}",
        session=session.id,
        number=number,
        command=session.exec or "",
        env={},
        secrets={},
        workdir="/",
        stdout="/dev/null",
        stderr="/dev/null",
        output="/",
        resources=session.resources,
        image=None,
        timeout=policy.timeout,
        grace=policy.grace,
    )


class Apply:
    """One apply: keeps its events, and checks that the capacity holds at each.

    `left` are the jobs that ran when the executor was through, before the backend was closed.
    """

    def __init__(
        self,
        scripts: Scripts = each(Script()),  # noqa: B008
        *,
        capacity: Resources | None = None,
        max_parallel: int | None = None,
        kept_there: int | None = None,
        devices: tuple[str, ...] = (),
        locks: DeviceLocks | None = None,
        policy: Policy = Policy(),  # noqa: B008
        cluster: Cluster | None = None,
        builds: Builds | None = None,
        fail_after: int | None = None,
        prefetch_limit: int = 0,
        collecting: Callable[[int], float] = lambda index: 0.0,
    ) -> None:
        self.capacity = Capacity(capacity or {}, max_parallel, devices, locks, kept_there)
        self.policy = policy
        self.events: list[Event] = []
        self.committed = 0  # so many of the events
        self.made: list[tuple[str, int, tuple[str, ...]]] = []
        self.created: list[tuple[str, int, int]] = []
        self.fail_after = fail_after
        self.collecting = collecting
        self.backend = FakeBackend(
            lambda attempt: scripts(index_of(attempt.session), attempt.number), cluster, prefetch_limit
        )
        self.executor = Executor(
            backend=self.backend,
            capacity=self.capacity,
            policy=policy,
            host=self,
            builds=builds,
            clock=trio.current_time,
        )
        self.inputs_changed: str | None = None
        self.stale: set[int] = set()
        """Indices of sessions whose inputs change while they run."""
        self.left: list[FakeJob] = []
        self._open: dict[str, Session] = {}
        self._ahead: dict[str, Session] = {}

    def emit(self, event: Event) -> None:
        if self.fail_after is not None and len(self.events) >= self.fail_after:
            raise OSError(28, "No space left on device")
        self.events.append(event)
        if isinstance(event, AttemptSubmitted):
            assert event.session.id not in self._open
            assert event.session.id not in self._ahead
            (self._ahead if event.ahead else self._open)[event.session.id] = event.session
        elif isinstance(event, AttemptStarted):
            if ahead := self._ahead.pop(event.session, None):
                self._open[event.session] = ahead
            self.check_capacity()
        elif isinstance(event, AttemptEnded):
            self._open.pop(event.session, None)
            self._ahead.pop(event.session, None)

    def check_capacity(self) -> None:
        """Check the events, and what really runs."""
        running = [job.attempt.resources for job in self.backend.cluster.alive if job.starts <= trio.current_time()]
        recorded = [session.resources for session in self._open.values()]
        for resources in (running, recorded):
            for name, limit in self.capacity.limits.items():
                used = sum(each.get(name, 0) for each in resources)
                assert used <= limit, f"{used} {name} in use, there are {limit}"
            if self.capacity.max_parallel is not None:
                assert len(resources) <= self.capacity.max_parallel

    def commit(self) -> None:
        self.committed = len(self.events)

    def create_files(self, session: Session, number: int, retries: int) -> None:
        self.created.append((session.id, number, retries))

    def remove_files(self, session: str, number: int, end: AttemptEnd) -> None:
        pass

    def make_attempt(
        self, session: Session, number: int, devices: tuple[str, ...], start_when_below: int | None = None
    ) -> Attempt:
        self.made.append((session.id, number, devices))
        return replace(attempt_of(session, number, self.policy), start_when_below=start_when_below)

    async def check_inputs(self) -> str | None:
        return self.inputs_changed

    async def verified(self, attempt: Attempt, end: AttemptEnd, began: float | None, *, adopted: bool) -> AttemptEnd:
        if index_of(attempt.session) not in self.stale:
            return end
        self.inputs_changed = "`x` changed"
        return replace(end, outcome=Outcome.STALE, reason=Reason(Cause.INPUTS, "`x` changed while it ran"))

    async def mask_logs(self, attempt: Attempt) -> None: ...

    async def collect(self, attempt: Attempt, end: AttemptEnd) -> Metrics:
        if seconds := self.collecting(index_of(attempt.session)):
            await trio.sleep(seconds)
        return self.metrics(end)

    def metrics(self, end: AttemptEnd) -> Metrics:
        return {"exit": metric_from(end.exit_code)}

    async def __call__(
        self, sessions: Iterable[Session | PlannedAttempt], to_run: int | None = None, detach: bool = False
    ) -> ApplyEnded:
        if to_run is None:
            to_run = len(sessions) if isinstance(sessions, list) else 0
        todo = (it if isinstance(it, PlannedAttempt) else PlannedAttempt(it, 1) for it in sessions)
        async with self.backend:
            try:
                return await self.executor.run(todo, to_run, detach)
            finally:
                self.left = self.backend.cluster.alive

    # What the events say.

    def submitted(self) -> list[int]:
        """The index of each session submitted, in order."""
        return [event.session.index for event in self.events if isinstance(event, AttemptSubmitted)]

    def starts(self) -> list[tuple[int, float]]:
        """Which session started when; those of one moment by index, because trio shuffles them."""
        starts = [event for event in self.events if isinstance(event, AttemptStarted)]
        return sorted(((index_of(it.session), it.at) for it in starts), key=lambda pair: (pair[1], pair[0]))

    def ends(self) -> list[tuple[int, Outcome]]:
        return [(index_of(event.session), event.outcome) for event in self.events if isinstance(event, AttemptEnded)]

    def end_of(self, index: int) -> AttemptEnded:
        """The last end of a session."""
        return [e for e in self.events if isinstance(e, AttemptEnded) and index_of(e.session) == index][-1]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def unaccounted(self) -> list[FakeJob]:
        """Jobs that run although nothing that was recorded leads to them."""
        names = {event.name for event in self.events if isinstance(event, AttemptSubmitted)}
        adopted = {event.job for event in self.events if isinstance(event, AttemptAdopted)}
        return [job for job in self.backend.cluster.alive if job.attempt.name not in names and job.id not in adopted]


def index_of(session_id: str) -> int:
    return int(session_id, 16)


def simulate(main: Callable[[], Awaitable[object]]) -> None:
    """Run under a clock that jumps to the next thing that happens."""

    async def bounded() -> None:
        await main()

    trio.run(bounded, clock=trio.testing.MockClock(autojump_threshold=0))


def apply(run: Apply, sessions: Iterable[Session | PlannedAttempt], to_run: int | None = None) -> ApplyEnded:
    """Simulate one apply to its end."""
    ended: list[ApplyEnded] = []

    async def main() -> None:
        try:
            ended.append(await run(sessions, to_run))
        finally:
            assert not run.left, "its backend had to end what the executor did not"
            assert run.capacity.in_use == dict.fromkeys(run.capacity.limits, 0)

    simulate(main)
    return ended[0]
