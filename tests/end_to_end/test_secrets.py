"""A secret that sessions print is in no file, no message and no record of runner but the log."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.processes import HANG
from tests.reporters.test_github import commands

SECRET = "s3cr3t/+ 'value'-7391846"
PEM = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n-----END KEY-----"
PROGRAM = """\
import base64, json, os, sys, urllib.parse
token, key = os.environ["TOKEN"], os.environ["KEY"]
lines = [token, key, json.dumps(token), urllib.parse.quote(token), base64.b64encode(b"u:" + token.encode()).decode()]
kind, attempt = sys.argv[1], int(os.environ.get("RUNNER_ATTEMPT", 1))
print("metric", token)
print("\\n".join(lines))
print("\\n".join(lines), file=sys.stderr)
with open(os.path.join(os.environ["RUNNER_OUTPUT_DIR"], "m.json"), "w") as file:
    json.dump({"token": token, "lines": lines}, file)
print("x" * 500 + token, file=sys.stderr)
print(f"error: cannot log in with {token}" if kind != "silent" else "", file=sys.stderr)
sys.exit(kind == "failed" or (kind == "flaky" and attempt == 1))
"""
SWEEP = f"""\
exec: [{sys.executable}, show.py, $kind]
files: [show.py]
secrets: [TOKEN, KEY]
ranges: {{kind: [failed, flaky, silent]}}
retry: {{limit: 1, backoff: 0s}}
metrics:
  token: {{regex: "metric (.*)"}}
  json: {{json: m.json, key: token}}
  list: {{json: m.json, key: lines}}
"""
FORMS = (
    SECRET,
    "MIIEpAIBAAKCAQEA",
    "s3cr3t",
    "7391846",
    urllib.parse.quote(SECRET),
    base64.b64encode(b"u:" + SECRET.encode()).decode()[4:20],
)


def runner(
    folder: Path, *arguments: str, known: bool = True, environ: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    secrets = {"TOKEN": SECRET, "KEY": PEM} if known else {}
    return subprocess.run(
        [sys.executable, "-m", "runner", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **secrets, **environ},
        timeout=HANG,
        check=False,
    )


def leaks(*texts: str) -> list[str]:
    """What stands around each form of the secret in these texts."""
    found = [(text, form, text.find(form)) for text in texts for form in FORMS]
    return [text[max(0, at - 60) : at + len(form) + 20] for text, form, at in found if at >= 0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "show.py").write_text(PROGRAM)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return tmp_path


def test_nothing_derived_has_the_secret(folder: Path) -> None:
    summary = folder / "summary.md"
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = runner(folder, "apply", "--verbose", "--format", "jsonl", "--junit", "apply.xml", environ=github)
    assert done.returncode == 1
    masks = [line for line in done.stderr.split("\n") if line.startswith("::add-mask::")]
    assert done.stderr.startswith("\n".join(masks))
    assert masks == [f"::add-mask::{part}" for part in (SECRET, *PEM.split("\n"))]
    shown = [done.stdout, *(line for line in done.stderr.split("\n") if not line.startswith("::add-mask::"))]
    # Later commands do not know the value.
    for command in (
        ("status",),
        ("status", "--format", "json"),
        *(("results", "--format", form) for form in ("table", "csv", "json", "md")),
        ("results", "--group-by", "token"),
        ("results", "--junit", "results.xml"),
        ("report",),
        ("plan", "--all"),
        ("validate",),
    ):
        later = runner(folder, *command, known=False)
        assert later.returncode == 0, later.stderr
        shown += [later.stdout, later.stderr]
    shown += [(folder / name).read_text() for name in ("apply.xml", "results.xml", "report.html", "summary.md")]
    assert leaks(*shown) == []
    assert "error: cannot log in with ***" in (folder / "results.xml").read_text()
    journal = b"".join(path.read_bytes() for path in (folder / ".runner" / "sweep").glob("journal.db*"))
    assert not any(form.encode() in journal for form in FORMS)


def test_logs_stay_as_they_are(folder: Path) -> None:
    runner(folder, "apply")
    assert SECRET in runner(folder, "logs", "kind=failed", known=False).stdout
    assert SECRET in runner(folder, "logs", "kind=silent", known=False).stdout


def test_mask_logs_masks_every_log(folder: Path) -> None:
    (folder / "sweep.yaml").write_text(SWEEP + "mask_logs: true\n")
    assert runner(folder, "apply").returncode == 1
    logs = list((folder / ".runner" / "sweep" / "logs").iterdir())
    assert len(logs) == 2 * 5
    assert leaks(*(log.read_text() for log in logs)) == []
    assert "cannot log in with ***" in runner(folder, "logs", "--stderr", "kind=failed", known=False).stdout


def test_build_that_fails_is_masked(folder: Path) -> None:
    (folder / "sweep.yaml").write_text(SWEEP + "build: 'echo \"no $TOKEN\" >&2; exit 3'\n")
    done = runner(folder, "apply")
    shown = [done.stdout, done.stderr]
    for command in (("status",), ("report",), ("logs", "kind=failed")):
        later = runner(folder, *command, known=False)
        shown += [later.stdout, later.stderr]
    assert "no ***" in done.stderr
    assert leaks(*shown, (folder / "report.html").read_text()) == []


def test_secrets_and_mask_logs_are_not_part_of_an_id(folder: Path) -> None:
    before = runner(folder, "plan", "--all", "--format", "json").stdout
    (folder / "secrets.env").write_text("TOKEN=another value\nKEY=too\n")
    (folder / "sweep.yaml").write_text(
        SWEEP.replace("secrets: [TOKEN, KEY]", "secrets: {from: secrets.env}\nmask_logs: true")
    )
    after = runner(folder, "plan", "--all", "--format", "json").stdout
    assert [row["id"] for row in json.loads(before)["sessions"]] == [row["id"] for row in json.loads(after)["sessions"]]


def test_file_of_secrets_reaches_the_session(folder: Path) -> None:
    (folder / "sweep.yaml").write_text(
        "exec: [sh, -c, 'echo \"$$TOKEN|$$KEY\"; exit 1']\nsecrets: {from: .env, names: [TOKEN]}\n"
    )
    (folder / ".env").write_text(f'export TOKEN="{SECRET}"\nKEY=not-for-sessions\n')
    (folder / ".env").chmod(0o600)
    done = runner(folder, "apply", known=False)
    assert "***|" in done.stderr
    assert leaks(done.stderr) == []
    assert "warning" not in done.stderr
    assert runner(folder, "logs", json.loads(runner(folder, "results", "--format", "json").stdout)[0]["id"]).stdout == (
        f"{SECRET}|{os.environ.get('KEY', '')}\n"
    )


@pytest.mark.parametrize("value", [None, ""])
def test_missing_or_empty_secret_starts_nothing(folder: Path, value: str | None) -> None:
    environ = {"KEY": PEM} if value is None else {"KEY": PEM, "TOKEN": value}
    done = runner(folder, "apply", known=False, environ=environ)
    assert done.returncode == 2
    assert "secret `TOKEN` is " + ("not set" if value is None else "empty") in done.stderr
    assert "sweep.yaml:3:11" in done.stderr
    assert not (folder / ".runner" / "sweep" / "logs").exists() or not any(
        (folder / ".runner" / "sweep" / "logs").iterdir()
    )


def test_short_secret_is_warned_of_and_not_masked(folder: Path) -> None:
    for command in ("validate", "apply"):
        done = runner(folder, command, environ={"TOKEN": "short12", "KEY": "long enough", "GITHUB_ACTIONS": "true"})
        assert "secret `TOKEN` has fewer than 8 characters" in done.stderr
        assert [one.text for one in commands(done.stderr) if one.name == "add-mask"] == ["long enough"]
