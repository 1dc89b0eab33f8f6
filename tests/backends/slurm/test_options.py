"""Options and resources as arguments of `sbatch`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from runner.backends.base import Rejected
from runner.backends.slurm.options import arguments, job_environment, parse_options
from runner.cli.capacity import capacity_of
from runner.cli.sweeps import override
from runner.model import Resources
from tests.conftest import LoadText
from tests.fake_slurm import make_attempt


def test_resources_are_rounded_up_and_named_as_in_the_file(tmp_path: Path) -> None:
    wanted: Resources = {"cpu": Fraction(5, 2), "mem": (1 << 20) + 1, "gpu": 2, "scratch": 1, "seat": 3, "mine": 4}
    options = {
        "gres": {"scratch": "nvme"},
        "licenses": {"seat": "matlab"},
        "partition": "p",
        "options": ["--exclusive"],
    }
    attempt = replace(make_attempt("a", tmp_path), resources=wanted, timeout=100.0, grace=10.0)
    assert arguments(parse_options(options), attempt) == (
        "--cpus-per-task=3",
        "--mem=1025K",
        "--gres=gpu:2,nvme:1",
        "--licenses=matlab:3",
        "--time=3",
        "--partition=p",
        "--exclusive",
    )
    assert "--time=20" in arguments(parse_options({"pack": 10}), attempt)


def test_fraction_of_a_gpu_is_rejected(tmp_path: Path) -> None:
    attempt = replace(make_attempt("a", tmp_path), resources={"gpu": Fraction(1, 2)})
    with pytest.raises(Rejected, match=r"no fractions of `gpu`: 0\.5"):
        arguments(parse_options({}), attempt)


def test_jobs_get_only_some_of_the_callers_variables() -> None:
    assert job_environment({"HOME": "/h", "SLURM_CONF": "/c", "SLURM_JOB_ID": "1", "TOKEN": "t"}) == {
        "HOME": "/h",
        "SLURM_CONF": "/c",
    }


@pytest.mark.parametrize(
    ("more", "here", "there"),
    [("", None, 4), ("stop: {failures: 1}", 4, None), ("capacity: {license: 2}", 4, None)],
)
def test_slurm_enforces_max_parallel_unless_order_matters(
    load_text: LoadText, more: str, here: int | None, there: int | None
) -> None:
    sweep = override(load_text(f"exec: ['true']\nmax_parallel: 4\nbackend: slurm\n{more}\n"))
    capacity = capacity_of(sweep)
    assert (capacity.max_parallel, capacity.kept_there) == (here, there)
    assert parse_options(sweep.backend.options).max_parallel == there
