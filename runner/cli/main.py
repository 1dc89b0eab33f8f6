"""The error boundary: every failure becomes a message on stderr and a documented exit code."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from runner.cli.console import OutputLost, error_text, install, say, say_command, silence
from runner.cli.suggestions import OPTION_FORMS, option_hint, unexpected_argument
from runner.errors import EnvironmentFailed, InvalidInput, RunnerError, shortage
from runner.text import workflow
from runner.text.escape import printable

if TYPE_CHECKING:
    from runner.diagnostics import Problem, Source

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INVALID = 2
EXIT_ENVIRONMENT = 3
EXIT_PENDING = 10
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the process's exit code. Raises nothing."""
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        install()
        code = _call(arguments)
        sys.stdout.flush()
        return code
    except OutputLost as error:
        silence(1)
        if error.errno == errno.EPIPE:
            return EXIT_OK  # the reader closed the pipe on purpose
        say(f"error: cannot write the output: {error_text(error)}")
        return EXIT_ENVIRONMENT
    except KeyboardInterrupt:
        say("interrupted")
        return EXIT_INTERRUPTED
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left that a late Ctrl-C could spoil


def _call(arguments: Sequence[str]) -> int:
    try:
        from runner.cli import runner_command

        # Not click's own `main`: that one makes 1 of a closed stdout.
        with runner_command.make_context("runner", list(arguments) or ["--help"]) as context:
            result = runner_command.invoke(context)
        return result if isinstance(result, int) else EXIT_OK
    except OutputLost:
        raise
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        report(_as_problem(error), arguments)
        return EXIT_INVALID
    except click.Abort:
        raise KeyboardInterrupt from None
    except RunnerError as error:
        report(error, arguments)
        return error.exit_code
    except OSError as error:
        place = "" if error.filename is None else f"`{os.fsdecode(error.filename)}`: "
        report(EnvironmentFailed(f"{place}{error_text(error)}"), arguments)
        return EXIT_ENVIRONMENT
    except Exception as error:
        if short := shortage(error):
            say(f"error: {short.message}\n\nhint: {short.hint}")  # nothing may be imported now
            return short.exit_code
        return _bug(error)


def report(error: RunnerError, arguments: Sequence[str]) -> None:
    """Show a failure of a command line: the problems of a file at their places, or one message with its hint."""
    from runner.diagnostics import InvalidSweep, render
    from runner.units import counted

    if isinstance(error, InvalidSweep):
        count = sum(problem.severity == "error" for problem in error.problems)
        nothing = "; nothing was started" if _starts(arguments) else ""
        say(render(error.source, error.problems))
        say(f"\n{counted(count, 'problem')} in `{printable(error.source.name)}`{nothing}")
        annotate(error.source, error.problems)
        return
    lines = [printable(error.message), *map(printable, error.details)]
    hint = ["", f"hint: {printable(error.hint)}"] if error.hint else []
    say("\n".join([f"error: {lines[0]}", *lines[1:], *hint]))
    if workflow.in_workflow(os.environ):
        say_command(workflow.command("error", "\n".join([*lines, *hint[1:]]), title="runner"))


def _starts(arguments: Sequence[str]) -> bool:
    """Whether the command is one that starts sessions."""
    return next((word for word in arguments if not word.startswith("-")), None) in ("apply", "run")


def annotate(source: Source, problems: Iterable[Problem]) -> None:
    """In a step of GitHub Actions, tell it of the problems of a file, too."""
    if workflow.in_workflow(os.environ):
        from runner.reporters import github

        for line in github.problem_annotations(source, problems, os.environ):
            say_command(line)


def _as_problem(error: click.ClickException) -> InvalidInput:
    """Return a usage error of click in the style of runner's own messages."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"`{context.command_path} --help` shows the available options" if context else None
    if isinstance(error, click.NoSuchOption):
        return InvalidInput(f"unknown option `{error.option_name}`", option_hint(error.option_name, context) or hint)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        name = error.param.make_metavar(context) if context else error.param.human_readable_name
        required = name.removesuffix("...").rpartition("] ")[2]
        return InvalidInput(f"missing {error.param.param_type_name} `{required}`", hint)
    if isinstance(error, click.UsageError) and context and (extra := unexpected_argument(error, context)):
        return extra
    message = re.sub(r"'([^']*)'", r"`\1`", error.format_message()).rstrip(".")
    message = message.replace(" is not a valid integer range", " is not a whole number")
    if isinstance(error, click.BadOptionUsage):
        hint = OPTION_FORMS.get(error.option_name, hint)
    return InvalidInput(message[:1].lower() + message[1:], hint)


def _bug(error: Exception) -> int:
    say(f"error: a bug in runner: {type(error).__name__}: {printable(str(error))}")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="runner-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"runner {sys.argv[1:]}\n")
            traceback.print_exception(error, file=file)
    except OSError:
        say("".join(traceback.format_exception(error)))
    else:
        say(f"\nhint: the full report is in `{file.name}`")
    return EXIT_BUG
