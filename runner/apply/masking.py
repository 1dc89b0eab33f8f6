"""Secrets in what an apply records and leaves behind: masked before anyone else can see it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from runner.apply.metric_reader import MAX_TEXT_LENGTH
from runner.events import (
    ApplyEnded,
    ApplyInterrupted,
    ApplyStarted,
    ApplyWaiting,
    AttemptAccepted,
    AttemptAdopted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    MetricsCollected,
    StopReached,
)
from runner.model import Missing, Outcome, Value
from runner.state import State
from runner.state.tails import mask_log, mask_tail
from runner.text.masks import Masks
from runner.text.shorten import MARK


class Masking:
    """Masks the secrets of one apply. `whole_logs`: also in the logs themselves, when an attempt ends."""

    def __init__(self, state: State, secrets: Mapping[str, str], *, whole_logs: bool) -> None:
        self._state = state
        self._masks = Masks(secrets.values())
        self._whole_logs = whole_logs
        self._done: set[Path] = set()
        """Logs that were masked before the end of their attempt is recorded."""

    def event(self, event: Event) -> Event:
        """The event as it is recorded. The ends of logs that may be shown later are masked, too. Raises OSError."""
        if not self._masks:
            return event
        match event:
            case AttemptEnded():
                paths = self._state.paths(event.session, event.attempt)
                self._logs([paths.stdout, paths.stderr], event.outcome)
                metrics = {name: self._metric(metric) for name, metric in event.metrics.items()}
                return replace(event, reason=self._text(event.reason), metrics=metrics)
            case MetricsCollected():
                return replace(event, metrics={name: self._metric(metric) for name, metric in event.metrics.items()})
            case BuildEnded():
                folder = self._state.build_folder(event.build)
                self._logs([folder.with_suffix(".out"), folder.with_suffix(".err")], event.outcome)
                return replace(event, reason=self._text(event.reason))
            case ApplyWaiting():
                return replace(event, reason=self._text(event.reason))
            case AttemptWaiting() | StopReached() | ApplyInterrupted():
                return replace(event, reason=self._masks.text(event.reason))
            case AttemptStarted():
                return replace(event, cold=self._text(event.cold))
            case ApplyStarted() | ApplyEnded() | BuildStarted():
                return event
            case AttemptSubmitted() | AttemptAccepted() | AttemptAdopted():
                return event
            case _:
                assert_never(event)

    def logs(self, *paths: str) -> None:
        """Mask whole logs, if the sweep says so. Takes a second for some 10 MB."""
        if self._masks and self._whole_logs:
            for path in map(Path, paths):
                with suppress(OSError):  # the record of the end tries again, and fails
                    mask_log(path, self._masks)
                    self._done.add(path)

    def _logs(self, paths: list[Path], outcome: Outcome) -> None:
        for path in paths:
            if path in self._done:
                self._done.remove(path)
            elif self._whole_logs:
                mask_log(path, self._masks)
            elif outcome is not Outcome.SUCCEEDED:
                mask_tail(path, self._masks)

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._masks.text(text)

    def _metric(self, metric: Value | Missing) -> Value | Missing:
        if isinstance(metric, Missing):
            return replace(metric, reason=self._masks.text(metric.reason))
        text = self._masks.text(metric.text)
        if len(metric.text) >= MAX_TEXT_LENGTH and metric.text.endswith(MARK):
            text = self._masks.beginning(metric.text) + MARK
        return metric if text == metric.text else Value(text, text)
