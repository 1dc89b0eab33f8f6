"""`runner schema`: the JSON schema of the sweep file, for editors and other programs."""

from __future__ import annotations

import json

import click

from runner.cli.console import machine_readable
from runner.config import schema


@click.command("schema")
@click.argument(
    "name", default="sweep", type=click.Choice(["sweep", "problems", "plan", "lock", "results", "events", "status"])
)
def command(name: str) -> None:
    """Print the JSON schema of the sweep file, or of one of the shapes that `--format json` prints."""
    machine_readable()
    click.echo(json.dumps(schema.load(name), ensure_ascii=False, indent=2))
