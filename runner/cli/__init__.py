"""The command line: one module a command, loaded when it is asked for, so that `runner --help` stays quick."""

from __future__ import annotations

import importlib

import click

import runner
from runner.errors import InvalidInput

COMMANDS = {
    "apply": "Make the results of a sweep exist: run what has not succeeded yet.",
    "plan": "Show what apply would do, and why.",
    "validate": "Check a sweep file; print every problem at its place.",
    "status": "Show where a sweep stands, live or finished.",
    "logs": "Print what a session wrote.",
    "results": "Print one row for each session, or their metrics taken together.",
    "report": "Write one HTML page: table, plots, timeline, failures by cause.",
    "merge": "Join the states that the shards of a sweep have left.",
    "run": "Run one command over ranges, as `backend.ai run` does.",
    "cancel": "End sessions of a live apply, or what a dead one left over.",
    "prune": "Free disk: sessions that the file no longer has, old logs.",
    "init": "Write a first sweep file.",
    "schema": "Print the JSON schema of the sweep file.",
    "doctor": "Say what this machine can enforce and reach.",
}


class LazyCommands(click.Group):
    """Knows its commands by name and one line; imports the module of the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"runner.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from runner.diagnostics import nearest

            near = nearest(name, COMMANDS)
            hint = f"did you mean `{near}`?" if near else "`runner --help` lists the commands"
            raise InvalidInput(f"no such command `{name}`", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    "runner",
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 some session did not succeed, 2 the input is wrong, 3 the environment failed, "
    "10 there is something to run (plan --exit-code).",
)
@click.version_option(runner.__version__, prog_name="runner")
def runner_command() -> None:
    """Declarative batch runs: `runner apply sweep.yaml` makes the results of a sweep exist.

    It compares what the file describes with what has already run, and runs the difference.
    """
