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
        (self.path / "sweep.yaml").write_text(json.dumps({"exec": ["sh", "job.sh"], "files": [], **keys}))


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


def warnings(here: Here, *arguments: str) -> list[str]:
    """The warnings about metrics that a command prints."""
    done = here.run(*arguments)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("warning: `")]


def test_missing_metric_is_said_and_counted_everywhere(here: Here) -> None:
    here.sweep("echo '{}' >m.json", metrics={"loss": {"json": "m.json"}}, repeat=3)
    lost = "no `m.json` in the output folder; there is one in the working directory: write it to `$RUNNER_OUTPUT_DIR`"
    whole = f"warning: `loss` is missing in 3 of 3 succeeded sessions: {lost}"
    assert warnings(here, "apply")[-1] == whole
    assert warnings(here, "status") == [whole]
    for form in ("table", "csv", "json", "md"):
        assert warnings(here, "results", "--format", form) == [whole]
    status = json.loads(here.run("status", "--format", "json").stdout)
    assert status["missing"] == [{"metric": "loss", "sessions": 3, "reason": lost}]
    here.run("report", "-o", "report.html")
    assert "is missing in 3 of 3 succeeded sessions" in (here.path / "report.html").read_text()


def test_metrics_of_failed_sessions_are_not_missed(here: Here) -> None:
    here.sweep("exit 1", metrics={"loss": {"json": "m.json"}})
    for command in ("apply", "status", "results"):
        assert warnings(here, command) == []


def loss(here: Here) -> list[object]:
    return [row["metrics"].get("loss", "unknown") for row in here.rows()]


def test_redefined_metric_is_stale_until_it_is_collected_again(here: Here) -> None:
    script = "echo train_loss=0.5 val_loss=9.5 acc=1"
    acc = {"acc": {"regex": "acc=(.*)"}}
    here.sweep(script, metrics={"loss": {"regex": r"train_loss=(\S+)"}, **acc}, repeat=2)
    here.run("apply")
    assert loss(here) == [0.5, 0.5]
    here.sweep(script, metrics={**acc, "loss": {"regex": r"val_loss=(\S+)"}}, repeat=3)
    assert loss(here) == ["unknown"] * 3
    assert [row["metrics"].get("acc") for row in here.rows()] == [1, 1, None]
    why = "not collected by its present definition: the next `runner apply` does it"
    for command in ("results", "status"):
        assert warnings(here, command) == [f"warning: `loss` is missing in 2 of 2 succeeded sessions: {why}"]
    done = here.run("apply")
    assert "collected metrics again: 2 sessions" in done.stderr
    assert loss(here) == [9.5, 9.5, 9.5]
    assert [row["attempts"] for row in here.rows()] == [1, 1, 1]
    assert "collected metrics" not in here.run("apply").stderr


def test_redefined_metric_that_matches_nothing_is_said(here: Here) -> None:
    here.sweep("echo loss=0.5", metrics={"loss": {"regex": "loss=(.*)"}}, repeat=2)
    here.run("apply")
    here.sweep("echo loss=0.5", metrics={"loss": {"regex": "Loss: (.*)"}}, repeat=2)
    which = "2 of 2 sessions whose metrics were collected again"
    assert warnings(here, "apply") == [f"warning: `loss` is missing in {which}: no match on stdout"]


def test_new_metric_is_collected_from_what_is_kept(here: Here) -> None:
    here.sweep("echo loss=1")
    here.run("apply")
    here.sweep("echo loss=1", metrics={"loss": {"regex": "loss=(.*)"}})
    assert loss(here) == ["unknown"]
    here.run("apply")
    assert loss(here) == [1]


def test_order_of_definitions_means_nothing(here: Here) -> None:
    metrics = {name: {"regex": f"{name}=(.*)"} for name in ("a", "b")}
    here.sweep("echo a=1; echo b=2", metrics=metrics)
    here.run("apply")
    here.sweep("echo a=1; echo b=2", metrics=dict(reversed(metrics.items())))
    assert here.rows()[0]["metrics"] == {"a": 1, "b": 2}
    assert "collected metrics" not in here.run("apply").stderr


def test_metric_that_could_not_be_read_is_collected_by_the_next_apply(here: Here) -> None:
    here.sweep('ln -s m.json "$RUNNER_OUTPUT_DIR/m.json"', metrics={"loss": {"json": "m.json"}})
    here.run("apply")
    [row] = here.rows()
    assert "loss" not in row["metrics"]
    assert row["missing"]["loss"].startswith("`m.json` cannot be read: ")
    here.run("apply")
    assert "loss" not in here.rows()[0]["metrics"]
    file = Path(row["output"], "m.json")
    file.unlink()
    file.write_text('{"loss": 1}')
    here.run("apply")
    assert loss(here) == [1]


def test_pruned_log_is_said_and_other_values_are_kept(here: Here) -> None:
    here.sweep("echo loss=1", metrics={"loss": {"regex": "loss=(.*)"}, "kept": {"regex": "s=(.*)"}})
    here.run("apply")
    Path(here.rows()[0]["stdout"]).unlink()
    here.sweep("echo loss=1", metrics={"loss": {"regex": "(loss)"}, "kept": {"regex": "s=(.*)"}})
    here.run("apply")
    [row] = here.rows()
    assert row["metrics"] == {"loss": None, "kept": 1}
    assert row["missing"] == {"loss": "there is no log to look in"}
