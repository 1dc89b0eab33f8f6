from __future__ import annotations

from dataclasses import replace

import pytest

from runner.backends.backendai.api import SessionInfo
from runner.backends.backendai.console import ConsoleLog, WrapperEnd
from runner.backends.backendai.outcome import attempt_end
from runner.model import Outcome
from runner.text.reasons import describe

INFO = SessionInfo("id", "name", "TERMINATED", "", None, None, None, 1.0, "i-1")
END = WrapperEnd(exit_code=0, cause="", duration=1.0, cpu_time=None, max_rss=None, out_of_memory=False, omitted=0)


@pytest.mark.parametrize(
    ("info", "code", "end", "expected"),
    [
        (INFO, None, END, (Outcome.SUCCEEDED, 0)),
        (INFO, None, replace(END, exit_code=5), (Outcome.FAILED, 5)),
        (INFO, None, replace(END, exit_code=137, out_of_memory=True), (Outcome.OUT_OF_MEMORY, 137)),
        (INFO, None, replace(END, exit_code=143, cause="timeout"), (Outcome.TIMED_OUT, 143)),
        (INFO, None, replace(END, exit_code=143, cause="asked"), (Outcome.CANCELLED, 143)),
        (INFO, None, replace(END, exit_code=126, cause="broken"), (Outcome.FAILED, 126)),
        (replace(INFO, result="SUCCESS"), None, None, (Outcome.SUCCEEDED, 0)),
        (replace(INFO, result="FAILURE"), 9, None, (Outcome.FAILED, 9)),
        (replace(INFO, result="FAILURE"), None, None, (Outcome.FAILED, None)),
        (replace(INFO, result="FAILURE"), -2, None, (Outcome.FAILED, None)),
        (replace(INFO, status_info="user-requested"), None, None, (Outcome.CANCELLED, None)),
        (replace(INFO, status_info="idle-timeout"), None, None, (Outcome.CANCELLED, None)),
        (replace(INFO, status_info="self-terminated"), None, None, (Outcome.LOST, None)),
        (replace(INFO, status_info="agent-termination"), None, None, (Outcome.LOST, None)),
        (replace(INFO, status_info="something new"), None, None, (Outcome.LOST, None)),
        (replace(INFO, status="CANCELLED", status_info="user-requested"), None, None, (Outcome.CANCELLED, None)),
        (replace(INFO, status="CANCELLED", status_info="pending-timeout"), None, None, (Outcome.REJECTED, None)),
        (
            replace(INFO, status="CANCELLED", status_info="failed-to-start", error="no image"),
            None,
            None,
            (Outcome.REJECTED, None),
        ),
        (replace(INFO, status="ERROR", status_info="", error="no image"), None, None, (Outcome.REJECTED, None)),
        (None, None, None, (Outcome.LOST, None)),
    ],
)
def test_outcome_of_each_ending(
    info: SessionInfo | None, code: int | None, end: WrapperEnd | None, expected: tuple[Outcome, int | None]
) -> None:
    found = attempt_end(info, code, ConsoleLog(end=end), None)
    assert (found.outcome, found.exit_code) == expected
    assert (describe(found) is None) == (found.outcome is Outcome.SUCCEEDED)


@pytest.mark.parametrize(("result", "outcome"), [("SUCCESS", Outcome.SUCCEEDED), ("FAILURE", Outcome.CANCELLED)])
def test_success_before_a_cancellation_counts(result: str, outcome: Outcome) -> None:
    found = attempt_end(replace(INFO, result=result), None, ConsoleLog(), None, cancelled=True)
    assert found.outcome is outcome
