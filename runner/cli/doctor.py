"""`runner doctor`: what this machine can enforce and reach."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from pathlib import Path

import click

import runner
from runner.backends import FINDINGS
from runner.backends.base import Finding
from runner.cli.console import machine_readable
from runner.cli.journals import check_states
from runner.cli.sweeps import load_sweep
from runner.config.sweep import Sweep
from runner.errors import EnvironmentFailed, InvalidInput
from runner.state import FOLDER, locate


@click.command("doctor")
@click.argument("file", metavar="[SWEEP.YAML]", required=False)
@click.option("--backend", metavar="NAME", help="Check this backend too. [default: the file's]")
@click.option("--image", metavar="IMAGE", help="Ask the backend about this image. [default: the file's]")
@click.option(
    "--state",
    is_flag=False,
    flag_value=FOLDER,
    metavar="[DIR]",
    help="Check the journals in DIR, `.runner` by default. A damaged one is replaced by what can be read of it, and kept.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(file: str | None, backend: str | None, image: str | None, state: str | None, form: str) -> int:
    """Show the resources of this machine, the limits that are enforced on it, and whether a backend can be used.

    Exit 3 if it cannot be used.
    """
    if state is not None:
        return _show(check_states(Path(state)), form)
    sweep = load_sweep(file) if file is not None else None
    kind = backend or (sweep.backend.kind if sweep else "local")
    if kind not in FINDINGS:
        raise InvalidInput(f"unknown backend `{kind}`", f"choose from {', '.join(f'`{name}`' for name in FINDINGS)}")
    options = sweep.backend.options if sweep and sweep.backend.kind == kind else {}
    findings = [
        Finding("runner", f"{runner.__version__} on Python {platform.python_version()}, {sys.platform}", None),
        Finding("sqlite", sqlite3.sqlite_version, None),
        *FINDINGS[kind](options, os.environ, image or _image(sweep), _folder(sweep)),
    ]
    return _show(findings, form)


def _show(findings: list[Finding], form: str) -> int:
    """Print findings, and return the exit code."""
    code = EnvironmentFailed.exit_code if any(finding.failed for finding in findings) else 0
    if form == "json":
        machine_readable("json")
        click.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2))
        return code
    width = max(len(finding.fact) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.fact:<{width}}  {finding.value}")
        if finding.hint:
            click.echo(f"{'':<{width}}  hint: {finding.hint}")
    return code


def _image(sweep: Sweep | None) -> str | None:
    """Return the image of the file, None if it is not the same for all sessions."""
    if sweep is None or sweep.image is None or sweep.image.template.names:
        return None
    return sweep.image.template.render({})


def _folder(sweep: Sweep | None) -> Path:
    """Return the folder of the state, which may not exist."""
    return locate(sweep.folder, sweep.name, None) if sweep else Path.cwd()
