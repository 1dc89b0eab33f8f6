"""A fake manager, and a site for the contract suite that uses it in simulated time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from runner.backends.base import Backend
from tests.contract import Site
from tests.fake_backendai import IMAGE, FakeManager, behavior_of, clock


@pytest.fixture
def manager() -> FakeManager:
    return FakeManager(behavior_of)


@pytest.fixture
def site(manager: FakeManager, tmp_path: Path) -> Site:
    def opened() -> AbstractAsyncContextManager[Backend]:
        return manager.both()

    return Site(opened, tmp_path, real=False, clock=clock(), image=IMAGE, patience=20_000.0)
