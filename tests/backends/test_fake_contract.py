"""The fake is held to the same contract as the backends it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from runner.model import Attempt
from tests.contract import AheadContract, Site
from tests.fake_backend import Cluster, FakeBackend, Script

PROGRAMS = {
    "true": Script(),
    "sh": Script(exit_code=3),
    "sleep": Script(duration=1000),
    "no-such-program-anywhere": Script(duration=0, exit_code=127),
    "/dev/null": Script(duration=0, exit_code=126),
}


def pretend(attempt: Attempt) -> Script:
    return PROGRAMS[attempt.command[0]]


@pytest.mark.parametrize("outlives_client", [False, True])
class TestFakeBackend(AheadContract):
    @pytest.fixture
    def site(self, tmp_path: Path, outlives_client: bool) -> Site:
        cluster = Cluster() if outlives_client else None
        clock = MockClock(autojump_threshold=0)
        return Site(lambda: FakeBackend(pretend, cluster, prefetch_limit=2), tmp_path, real=False, clock=clock)
