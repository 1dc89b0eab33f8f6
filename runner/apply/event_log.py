"""The order in which an event becomes durable and visible: journal, commit, displays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.apply.masking import Masking
from runner.events import Event
from runner.state.journal import Journal


class EventLog:
    """Writes events to the journal, and hands them to `consumers` once they are committed."""

    def __init__(self, journal: Journal, consumers: Sequence[Callable[[Event], None]], masking: Masking) -> None:
        self._journal = journal
        self._masking = masking
        self._consumers = list(consumers)
        self._uncommitted: list[Event] = []

    def emit(self, event: Event) -> None:
        """Write an event. It is not durable yet. If that fails, no uncommitted event is displayed."""
        try:
            event = self._masking.event(event)
            self._journal.note(event)
        except BaseException:
            self._uncommitted.clear()
            raise
        self._uncommitted.append(event)

    def commit(self) -> None:
        """Make all emitted events durable, then display them."""
        events, self._uncommitted = self._uncommitted, []
        self._journal.commit()
        for event in events:
            for consumer in list(self._consumers):
                self._display(consumer, event)

    def record(self, event: Event) -> None:
        """Emit and commit."""
        self.emit(event)
        self.commit()

    def _display(self, consumer: Callable[[Event], None], event: Event) -> None:
        """A consumer with a closed pipe or terminal gets no more events; the sweep continues."""
        try:
            consumer(event)
        except OSError:
            self._consumers.remove(consumer)
