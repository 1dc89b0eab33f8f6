"""How each status looks: a colour, and a symbol for readers who cannot distinguish colours."""

from __future__ import annotations

from collections.abc import Mapping

from runner.model import Outcome, Status

COLOUR: Mapping[str, str] = {
    Outcome.SUCCEEDED.value: "#009e73",
    Outcome.FAILED.value: "#d55e00",
    Outcome.TIMED_OUT.value: "#e69f00",
    Outcome.OUT_OF_MEMORY.value: "#cc79a7",
    Outcome.CANCELLED.value: "#8a8a8a",
    Outcome.LOST.value: "#56b4e9",
    Outcome.REJECTED.value: "#882255",
    Outcome.STALE.value: "#999933",
    Status.RUNNING.value: "#0072b2",
    Status.NEW.value: "#c4c4c4",
}

SYMBOL: Mapping[str, str] = {
    Outcome.SUCCEEDED.value: "✓",
    Outcome.FAILED.value: "✗",
    Outcome.TIMED_OUT.value: "◔",
    Outcome.OUT_OF_MEMORY.value: "▲",
    Outcome.CANCELLED.value: "■",
    Outcome.LOST.value: "?",
    Outcome.REJECTED.value: "◆",
    Outcome.STALE.value: "≠",
    Status.RUNNING.value: "▸",
    Status.NEW.value: "○",
}
