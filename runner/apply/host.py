"""What the executor gets from the apply: journal, attempts, files and metrics behind one protocol."""

from __future__ import annotations

import trio

from runner.apply.attempts import AttemptFactory, params_json
from runner.apply.collector import Collector
from runner.apply.event_log import EventLog
from runner.apply.input_check import InputCheck
from runner.apply.masking import Masking
from runner.apply.metric_reader import Signature, Sources, signatures
from runner.events import Event
from runner.model import Attempt, AttemptEnd, Metrics, Session
from runner.state import State


class ApplyHost:
    """Implements `executor.Host`. `fresh`: empty the output folder of each session before its first attempt."""

    def __init__(
        self,
        *,
        events: EventLog,
        attempts: AttemptFactory,
        inputs: InputCheck,
        state: State,
        collector: Collector,
        masking: Masking,
        fresh: bool,
    ) -> None:
        self._events = events
        self._attempts = attempts
        self._inputs = inputs
        self._state = state
        self._collector = collector
        self._masking = masking
        self._fresh = fresh
        self._left: dict[tuple[str, int], dict[str, Signature]] = {}
        """The metrics files that were there before an attempt, by session and number."""

    def emit(self, event: Event) -> None:
        self._events.emit(event)

    def commit(self) -> None:
        self._events.commit()

    def make_attempt(
        self, session: Session, number: int, devices: tuple[str, ...], start_when_below: int | None
    ) -> Attempt:
        return self._attempts.make(session, number, devices, start_when_below, self._inputs.moves)

    def create_files(self, session: Session, number: int, retries: int) -> None:
        # Not before a retry: it continues from the checkpoints of the attempt before.
        self._state.prepare(session.id, number, params_json(session), empty=self._fresh and not retries)
        if number > 1 and self._collector.files:
            output = self._state.paths(session.id, number).output_name
            self._left[session.id, number] = signatures(self._collector.files, output)

    def remove_files(self, session: str, number: int, end: AttemptEnd) -> None:
        self._state.tidy(session, number, drained=end.drained)
        self._left.pop((session, number), None)

    async def check_inputs(self) -> str | None:
        return await self._inputs.before_start()

    async def verified(self, attempt: Attempt, end: AttemptEnd, began: float | None, *, adopted: bool) -> AttemptEnd:
        return await self._inputs.verified(end, None if adopted else attempt.moves, began)

    async def collect(self, attempt: Attempt, end: AttemptEnd) -> Metrics:
        if not self._collector.any:
            return {}
        left, since = self._left.get((attempt.session, attempt.number), {}), None
        if attempt.number > 1 and (attempt.session, attempt.number) not in self._left:  # adopted
            attempts = self._state.journal.attempts(attempt.session)
            since = next((row.submitted for row in attempts if row.number == attempt.number), None)
        paths = (attempt.output, attempt.stdout, attempt.stderr, attempt.workdir)
        return await self._collector.collect(Sources(*paths, left, since))

    async def mask_logs(self, attempt: Attempt) -> None:
        await trio.to_thread.run_sync(self._masking.logs, attempt.stdout, attempt.stderr)
