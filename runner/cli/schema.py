"""`runner schema`: the JSON schema of the sweep file, for editors and other programs."""

from __future__ import annotations

import json

import click

from runner.cli.console import machine_readable
from runner.config import schema
from runner.diagnostics import did_you_mean
from runner.errors import InvalidInput

SCHEMAS = ("sweep", "problems", "plan", "lock", "results", "groups", "pivot", "events", "status")


@click.command("schema")
@click.argument("name", default="sweep", metavar="[NAME]")
def command(name: str) -> None:
    """Print the JSON schema of the sweep file, or of what a command prints as JSON.

    NAME is sweep, problems, plan, lock, results, groups, pivot, events or status.
    """
    if name not in SCHEMAS:
        raise InvalidInput(
            f"unknown schema `{name}`", did_you_mean(name, SCHEMAS) or f"choose from {', '.join(SCHEMAS)}"
        )
    machine_readable("json")
    click.echo(json.dumps(schema.load(name), ensure_ascii=False, indent=2))
