"""Fixtures that many tests need."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from runner.config.load import load
from runner.config.sweep import Sweep
from runner.diagnostics import Source
from runner.plan.plan import Plan
from tests.backendai import FOLDER, Cluster
from tests.paths import TESTS
from tests.slurm import FOLDER as SLURM_FOLDER
from tests.slurm import SlurmCluster

# What decides whether a change lands must not depend on luck; on a developer's machine, luck may find something.
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

SLOW = (
    "apply/test_recovery",
    "backends/backendai/test_backend.py",
    "backends/backendai/test_client.py",
    "backends/backendai/test_job.py",
    "backends/backendai/test_tracker.py",
    "backends/backendai/test_wrapper.py",
    "backends/local/test_forkserver_contract.py",
    "backends/slurm/test_backend.py",
    "backends/slurm/test_wrapper.py",
    "cli/test_cli.py",
    "end_to_end/",
    "executor/test_order.py",
    "executor/test_utilization.py",
    "reporters/test_html_browser.py",
    "reporters/test_html_page.py",
    "reporters/test_resize.py",
    "reporters/test_streams.py",
    "reporters/test_terminal.py",
    "state/test_merge.py",
    "template/test_shell.py",
)
"""Tests that take most of the time: real processes by the hundred, real terminals, whole command lines."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, which run with `-m ""` and in `.ci/run`."""
    for item in items:
        if item.path.relative_to(TESTS).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


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


@pytest.fixture(scope="session")
def a_cluster() -> Cluster:
    """The Backend.AI cluster on this machine. Where there has to be one, its absence is a failure."""
    if cluster := Cluster.running():
        return cluster
    reason = "no Backend.AI cluster on this machine; `tests/clusters/backendai/up` brings one up (Debian 12, root)"
    if os.environ.get("CI") or os.environ.get("RUNNER_TEST_CLUSTERS"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def cluster(a_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, shared with tests that run at the same time."""
    with (FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield a_cluster


@pytest.fixture
def lone_cluster(a_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, for a test that does to it what others would not survive."""
    with (FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield a_cluster


@pytest.fixture(scope="session")
def a_slurm() -> SlurmCluster:
    """The Slurm cluster on this machine. Where there has to be one, its absence is a failure."""
    if cluster := SlurmCluster.running():
        return cluster
    reason = "no Slurm on this machine; `tests/clusters/slurm/up` brings one up (Debian 12, root)"
    if os.environ.get("CI") or os.environ.get("RUNNER_TEST_CLUSTERS"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def slurm(a_slurm: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster, shared with tests that run at the same time."""
    with (SLURM_FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield a_slurm


@pytest.fixture
def lone_slurm(a_slurm: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster, for a test that does to it what others would not survive."""
    with (SLURM_FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield a_slurm
