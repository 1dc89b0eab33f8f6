"""The command line: one module for each command, imported when it runs, so that `runner --help` starts quickly."""

from __future__ import annotations

import importlib

import click

import runner
from runner.errors import InvalidInput

COMMANDS = {
    "apply": "Run the sessions of a sweep that have not succeeded yet.",
    "plan": "Show what apply would run, and why.",
    "validate": "Check a sweep file and print every problem at its place.",
    "status": "Show the progress of a sweep, running or finished.",
    "logs": "Print the output of a session.",
    "results": "Print a row for each session, or aggregates of their metrics.",
    "report": "Write one HTML page: table, plots, timeline, failures by cause.",
    "merge": "Merge the states of the shards of a sweep.",
    "run": "Run one command over ranges, as `backend.ai run` does.",
    "cancel": "End sessions of a running apply, or the jobs that a dead one left.",
    "prune": "Free disk space: sessions that are no longer in the file, old logs.",
    "init": "Write a first sweep file.",
    "schema": "Print the JSON schema of the sweep file or of an output.",
    "doctor": "Show what this machine and its backends can enforce.",
    "help": "Show a guide: file, results, ci, slurm, backendai and others.",
}


class LazyCommands(click.Group):
    """Lists the commands by name and summary, and imports only the module of the command that runs."""

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
            from runner.cli.suggestions import command_hint

            raise InvalidInput(f"no such command `{name}`", command_hint(name, COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    "runner",
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="SWEEP.YAML is `sweep.yaml` in this folder unless given. Exit codes: 0 every selected session succeeded, 1 some did "
    "not, 2 the input is wrong, 3 the environment failed, 10 there is something to run (plan --exit-code).",
)
@click.version_option(runner.__version__, prog_name="runner")
def runner_command() -> None:
    """Run parameter sweeps: `runner apply sweep.yaml` runs every session of the file that has not succeeded yet.

    It can be repeated at any time and continues after a crash.
    """
