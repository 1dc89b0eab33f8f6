"""Slurm, the real one: what only a cluster can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.backends.slurm.backend import Slurm
from tests.contract import Contract, Site
from tests.slurm import MINUTES, Bench, Cluster

pytestmark = pytest.mark.slurm


class TestContract(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path, slurm: Cluster) -> Site:
        return Site(lambda: Slurm({}, slurm.environ, tmp_path / "jobs"), tmp_path, patience=MINUTES)


class TestContractOfPacks(Contract):
    @pytest.fixture
    def site(self, tmp_path: Path, slurm: Cluster) -> Site:
        return Site(lambda: Slurm({"pack": 4}, slurm.environ, tmp_path / "jobs"), tmp_path, patience=MINUTES)


@pytest.fixture
def bench(tmp_path: Path, slurm: Cluster) -> Iterator[Bench]:
    with Bench(slurm, tmp_path) as bench:
        yield bench
