"""The JSON output of every command, validated against its schema in `schemas/`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from runner import events
from runner.config import schema
from tests.paths import ROOT
from tests.processes import HANG


def validator(name: str) -> Draft202012Validator:
    found = schema.load(name)
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The output of every command that prints JSON, for a sweep with each outcome and an orphan."""
    folder = tmp_path_factory.mktemp("shapes")
    file = folder / "sweep.yaml"

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "runner", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=HANG).stdout

    text = (
        "exec: [sh, -c, 'echo m=$1; test $1 = 0 || sleep $1; exit $2', sh, $sleep, $code]\n"
        "ranges: {sleep: [0, 0.1, 60], code: [0, 3]}\ntimeout: 1\ngrace: 0.1\n"
        "resources: {cpu: 0.1}\nmetrics: {m: {regex: 'm=(.*)'}, n: {regex: nothing}}\nmax_parallel: 6\n"
    )
    file.write_text(text)
    found = {"events": run("apply", "--format", "jsonl")}
    file.write_text(text.replace("[0, 0.1, 60]", "[0, 0.5]"))
    for command in ("plan", "results", "status"):
        found[command] = run(command, "--format", "json")
    run("plan", "--lock")
    found["lock"] = (folder / "sweep.lock.json").read_text()
    found["sessions"] = run("plan", "--format", "jsonl")
    found["groups"] = run("results", "--format", "json", "--group-by", "code", "--agg", "mean,std,min,max,count")
    found["pivot"] = run("results", "--format", "json", "--pivot", "code", "sleep", "n")
    file.write_text("exec: 3\nrangs: {}\n")
    found["problems"] = run("validate", "--format", "json")
    return found


@pytest.mark.parametrize("name", ["plan", "lock", "results", "groups", "pivot", "status", "problems"])
def test_document_matches_its_schema(outputs: dict[str, str], name: str) -> None:
    document = json.loads(outputs[name])
    assert document
    validator(name).validate(document)


def test_every_event_matches_the_schema(outputs: dict[str, str]) -> None:
    lines = [json.loads(line) for line in outputs["events"].splitlines()]
    assert len(lines) == 2 + 3 * 6
    for line in lines:
        validator("events").validate(line)


def test_lines_of_a_plan_are_its_sessions(outputs: dict[str, str]) -> None:
    lines = [json.loads(line) for line in outputs["sessions"].splitlines()]
    assert lines == json.loads(outputs["plan"])["sessions"]


def test_schema_has_every_event_and_its_fields() -> None:
    definitions: dict[str, Any] = schema.load("events")["$defs"]
    left_out = {"text", "recipe", "file", "definitions"}
    for event in get_args(events.Event):
        name = "".join(f"-{char.lower()}" if char.isupper() else char for char in event.__name__).lstrip("-")
        expected = {field.name for field in fields(event)} - left_out | {"event"}
        if "metrics" in expected:
            expected.add("missing")
        assert set(definitions[name]["properties"]) == expected


def test_schemas_are_those_of_the_repository() -> None:
    folder = ROOT / "schemas"
    names = {path.name.removesuffix(".schema.json") for path in folder.glob("*.schema.json")}
    assert names == {"sweep", "problems", "plan", "lock", "results", "groups", "pivot", "events", "status"}
    for name in names:
        assert schema.load(name) == json.loads((folder / f"{name}.schema.json").read_text())
