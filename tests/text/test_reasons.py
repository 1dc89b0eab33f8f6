"""Words for exit codes and signals."""

from __future__ import annotations

import pytest

from runner.text.reasons import exit_text, signal_name


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (128, "exit code 128"),
        (137, "exit code 137 (SIGKILL)"),
        (255, "exit code 255"),
    ],
)
def test_exit_text(code: int, words: str) -> None:
    assert exit_text(code) == words


def test_signal_without_a_name() -> None:
    assert (signal_name(15), signal_name(127)) == ("SIGTERM", "signal 127")
