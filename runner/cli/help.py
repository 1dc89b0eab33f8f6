"""`runner help`: the guides that ship with runner."""

from __future__ import annotations

import sys
from importlib import resources

import click

from runner.diagnostics import did_you_mean
from runner.errors import InvalidInput


@click.command("help")
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Show the guide about TOPIC, or the list of guides. In a terminal it opens in a pager."""
    guides = {
        file.name.removesuffix(".md"): file
        for file in sorted(resources.files("runner").joinpath("guides").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".md")
    }
    if topic is None:
        width = max(map(len, guides))
        for name, file in guides.items():
            click.echo(f"{name:{width}}  {_title(file.read_text(encoding='utf-8'))}")
        click.echo("\n`runner help TOPIC` shows a guide, `runner COMMAND --help` the options of a command.")
        return
    if topic not in guides:
        near = did_you_mean(topic, guides)
        raise InvalidInput(f"no guide about `{topic}`", near or "`runner help` lists the guides")
    text = guides[topic].read_text(encoding="utf-8")
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)


def _title(text: str) -> str:
    """The first line, without the mark of a heading."""
    return text.partition("\n")[0].lstrip("# ")
