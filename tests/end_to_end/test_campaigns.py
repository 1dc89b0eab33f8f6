"""A short run of each campaign; `python -m tests.campaigns.kills` runs hundreds of kills."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.campaigns import fuzz_journals
from tests.campaigns.kills import kill_at_calls, kill_at_random

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs /proc and a C compiler"
)


def test_kills_at_chosen_calls_lose_and_repeat_nothing() -> None:
    counts = kill_at_calls(12)
    assert counts.wrong == 0, counts.notes
    assert counts.kills >= 10, "the library counted other calls than it killed at"


def test_kills_of_runner_and_supervisor_lose_and_repeat_nothing() -> None:
    counts = kill_at_random(6, seed=20261130)
    assert counts.wrong == 0, counts.notes


def test_flipped_bits_in_a_journal_are_no_bug() -> None:
    found = fuzz_journals.campaign(15, seed=20261130)
    assert found.faults == []
    assert found.codes.total() == 15 * (len(fuzz_journals.COMMANDS) + 2)
