"""Fixtures that many tests need."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from runner.diagnostics import Source
from runner.loading import load
from runner.plan import Plan
from runner.sweep import Sweep

# What decides whether a change lands must not depend on luck; on a developer's machine, luck may find something.
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

# Where the tests run in the background of a shell, SIGINT is ignored, and every runner they start would keep it so.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LoadText = Callable[[str], Sweep]


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    """Load a sweep from its text, as if it lay in the test's own folder."""
    return lambda text: load(Source("sweep.yaml", text), tmp_path)


@pytest.fixture
def plan_text(load_text: LoadText) -> Callable[[str], Plan]:
    """The plan of a sweep given as text."""
    return lambda text: Plan.of(load_text(text))
