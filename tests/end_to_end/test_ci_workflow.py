"""The workflow of the guide `ci`: its steps are run unchanged."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.paths import ROOT
from tests.reporters.test_junit import validate
from tests.workflow import Actions, Ran

GUIDE = (ROOT / "runner" / "guides" / "ci.md").read_text()

TRAIN = """\
import json, os, pathlib, sys
lr = sys.argv[2]
print("trained", lr)
if os.path.exists("broken") and lr == "0.01":
    sys.exit(f"lr {lr} diverged")
pathlib.Path(os.environ["RUNNER_OUTPUT_DIR"], "metrics.json").write_text(json.dumps({"val": {"loss": float(lr) * 2}}))
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.M | re.S)


@pytest.fixture
def actions(tmp_path: Path) -> Actions:
    """A repository with the guide's sweep, and its lock."""
    project, work = tmp_path / "project", tmp_path / "work"
    project.mkdir()
    work.mkdir()
    (project / "lr.yaml").write_text(next(text for text in blocks("yaml") if text.startswith("# lr.yaml")))
    (project / "train.py").write_text(TRAIN)
    (project / "requirements.txt").write_text("click\n")  # in the place of runner, and here already
    subprocess.run([sys.executable, "-m", "runner", "plan", "lr.yaml", "--lock"], cwd=project, check=True)
    return Actions(project, work)


def run(actions: Actions) -> dict[str, list[Ran]]:
    (text,) = [text for text in blocks("yaml") if "jobs:" in text]
    workflow: dict[str, Any] = yaml.safe_load(text)
    return actions.run(workflow)


def results(actions: Actions) -> dict[tuple[str, str], tuple[str, str]]:
    """Status and attempts of each session, from the report's artifact."""
    validate(actions.artifacts / "report" / "junit.xml")
    with (actions.artifacts / "report" / "results.csv").open() as file:
        return {(row["lr"], row["seed"]): (row["status"], row["attempts"]) for row in csv.DictReader(file)}


def test_workflow_of_the_guide(actions: Actions) -> None:
    """Every session runs once, over all shards and all runs; a failure costs only itself; an edit needs a new lock."""
    first = run(actions)
    assert {name: [ran.result for ran in job] for name, job in first.items()} == {
        "review": ["success"],
        "shard": ["success"] * 3,
        "report": ["success"],
    }, first
    sessions = [(lr, seed) for lr in ("0.001", "0.01", "0.1") for seed in ("0", "1")]
    assert results(actions) == dict.fromkeys(sessions, ("succeeded", "1"))
    assert first["report"][0].summary.count("| succeeded |") == 6
    assert sum(ran.summary.count("| succeeded |") for ran in first["shard"]) == 6

    again = run(actions)
    assert ["nothing to run" in ran.log for ran in again["shard"]] == [True] * 3
    assert results(actions) == dict.fromkeys(sessions, ("succeeded", "1"))

    (actions.project / "broken").touch()
    (actions.project / "train.py").write_text(TRAIN + "\n")  # other content: all of it is to be run
    third = run(actions)
    assert [ran.result for ran in third["report"]] == ["success"]
    assert "failure" in [ran.result for ran in third["shard"]]
    assert sum(ran.log.count("::error file=lr.yaml,title=") for ran in third["shard"]) in (1, 2)
    assert results(actions) == {one: ("failed" if one[0] == "0.01" else "succeeded", "1") for one in sessions}

    (actions.project / "broken").unlink()
    run(actions)
    assert results(actions) == {one: ("succeeded", "2" if one[0] == "0.01" else "1") for one in sessions}

    text = (actions.project / "lr.yaml").read_text()
    (actions.project / "lr.yaml").write_text(text.replace("1e-1,3", "1,4"))
    refused = run(actions)
    assert [ran.result for job in refused.values() for ran in job] == ["failure", *["skipped"] * 4]
    assert "the plan differs from `lr.lock.json`: 2 added" in refused["review"][0].log
