"""The single error boundary: every failure becomes a message on stderr and a documented exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

import click

from runner.errors import RunnerError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INVALID = 2
EXIT_PENDING = 10
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the process's exit code. Raises nothing."""
    from runner.cli import main

    try:
        # Not click's own `main`: that one makes 1 of a closed stdout.
        with main.make_context("runner", list(arguments)) as context:
            result = main.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else EXIT_OK
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough. Nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except RunnerError as error:
        report(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_INVALID
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:
        return _bug(error)


def report(error: RunnerError) -> None:
    """Show a failure: the problems of a file at their places, or one message with its hint."""
    from runner.diagnostics import InvalidSweep, render
    from runner.units import counted

    if isinstance(error, InvalidSweep):
        count = sum(problem.severity == "error" for problem in error.problems)
        click.echo(render(error.source, error.problems), err=True)
        click.echo(f"\n{counted(count, 'problem')} in `{error.source.name}`; nothing was started", err=True)
        return
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"\nhint: {error.hint}", err=True)


def _bug(error: Exception) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="runner-bug-", suffix=".txt", delete=False) as file:
        file.write(f"runner {sys.argv[1:]}\n")
        traceback.print_exception(error, file=file)
    click.echo(f"error: a bug in runner: {type(error).__name__}: {error}", err=True)
    click.echo(f"\nhint: the full report is in `{file.name}`", err=True)
    return EXIT_BUG
