"""Metrics from a session's files to `runner results`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runner_folder import RunnerFolder


@dataclass(frozen=True)
class Here(RunnerFolder):
    def environment(self, **variables: str) -> dict[str, str]:
        return {**os.environ, **variables}

    def sweep(self, script: str, **keys: object) -> None:
        (self.path / "job.sh").write_text(script)
        (self.path / "sweep.yaml").write_text(json.dumps({"exec": ["sh", "job.sh"], **keys}))


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


LOSS = {"loss": {"json": "m.json", "key": "loss"}, "last": {"last_line": "loss"}, "match": {"regex": "loss.: (.*)}"}}


def test_retry_does_not_read_what_the_attempt_before_left(here: Here) -> None:
    here.sweep(
        'if [ "$RUNNER_ATTEMPT" = 1 ]; then echo \'{"loss": 999}\' | tee "$RUNNER_OUTPUT_DIR/m.json"; exit 1; fi',
        retry={"limit": 1, "backoff": "0.01s"},
        metrics=LOSS,
    )
    assert here.run("apply").returncode == 0
    [row] = here.rows()
    assert row["attempts"] == 2
    assert row["metrics"] == {"loss": None, "last": None, "match": None}
    assert row["missing"] == {
        "loss": "`m.json` was left by an earlier attempt",
        "last": "nothing was written to stdout",
        "match": "nothing was written to stdout",
    }


def test_retry_in_the_next_apply_does_not_read_it_either(here: Here) -> None:
    script = 'if [ "$RUNNER_ATTEMPT" = 1 ]; then echo \'{"loss": 999}\' >"$RUNNER_OUTPUT_DIR/m.json"; exit 1; fi'
    here.sweep(script, metrics={"loss": {"json": "m.json"}})
    assert [here.run("apply").returncode for _ in range(2)] == [1, 0]
    assert here.rows()[0]["metrics"] == {"loss": None}


def test_retry_that_writes_the_same_again_has_its_metrics(here: Here) -> None:
    here.sweep(
        'echo \'{"loss": 1}\' >"$RUNNER_OUTPUT_DIR/m.json"; [ "$RUNNER_ATTEMPT" = 2 ]',
        retry={"limit": 1, "backoff": "0.01s"},
        metrics={"loss": {"json": "m.json"}},
    )
    assert here.run("apply").returncode == 0
    assert here.rows()[0]["metrics"] == {"loss": 1}


def test_text_of_numbers_is_kept_in_csv_and_tables(here: Here) -> None:
    here.sweep("echo torch=1.10 commit=0012345 tag=7e10", metrics={
        name: {"regex": rf"{name}=(\S+)"} for name in ("torch", "commit", "tag")
    })  # fmt: skip
    here.run("apply")
    assert here.run("results", "--format", "csv").stdout.rstrip().endswith(",1.10,0012345,7e10")
    assert here.run("results").stdout.rstrip().split()[-3:] == ["1.10", "0012345", "7e10"]
    assert here.rows()[0]["metrics"] == {"torch": 1.1, "commit": 12345, "tag": 7e10}
    assert len(here.run("results", "--where", "torch=1.1", "--format", "csv").stdout.splitlines()) == 2
