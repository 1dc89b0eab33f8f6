"""`runner doctor`: what this machine can enforce and reach."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys

import click

import runner
from runner.backends.local.enforcement import Finding, describe
from runner.cli.streams import machine_readable


@click.command("doctor")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(form: str) -> None:
    """Say what this machine offers sessions, and which limits are really enforced here."""
    findings = [
        Finding("runner", f"{runner.__version__} on Python {platform.python_version()}, {sys.platform}", None),
        Finding("sqlite", sqlite3.sqlite_version, None),
        *describe(os.environ),
    ]
    if form == "json":
        machine_readable()
        click.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2))
        return
    width = max(len(finding.fact) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.fact:<{width}}  {finding.value}")
        if finding.hint:
            click.echo(f"{'':<{width}}  hint: {finding.hint}")
