"""`runner init`: write a first sweep file and its program, with the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.console import say
from runner.config import schema
from runner.errors import EnvironmentFailed, InvalidInput

SCHEMA_FILE = "sweep.schema.json"
PROGRAM_FILE = "square.py"

TEMPLATE = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
# `runner plan {{file}}` shows what would run, `runner apply {{file}}` runs it, `runner results {{file}}` prints the outcome.

exec: [python3, {PROGRAM_FILE}, --x, $x]
files: [{PROGRAM_FILE}]   # what a session reads: after an edit of it, apply runs the sessions again

ranges:
  x: linspace:0,1,5

metrics:
  y: {{{{regex: 'y = (\\S+)'}}}}

resources: {{{{cpu: 1}}}}
timeout: 10m
"""

PROGRAM = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, required=True)
x = parser.parse_args().x
print("y =", x * x)
"""


@click.command("init")
@click.argument("file", metavar="[SWEEP.YAML]", default="sweep.yaml", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Write a first sweep file, and beside it the program that it runs and the schema that its first line names for editors.

    Commit them: every clone then completes and checks the file in an editor, without a network.
    """
    if file.exists():
        raise InvalidInput(f"`{file}` exists already", "name another file: `runner init other.yaml`")
    beside, program = file.parent / SCHEMA_FILE, file.parent / PROGRAM_FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(schema.load("sweep"), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        if not program.exists():
            program.write_text(PROGRAM, encoding="utf-8")
        file.write_text(TEMPLATE.format(file=file), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailed(f"cannot write `{file}`: {(error.strerror or str(error)).lower()}") from error
    say(f"wrote {file}, {program} and {beside}; now try: runner apply {file}")
