"""GitHub Actions: workflow commands and annotations, as lines of text within its limits.

A step may have ten annotations of each kind; what is more is dropped by GitHub without a word. A line of a log that looks like
a command is one, so that what sessions wrote is only ever printed while commands are stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

from runner.diagnostics import Problem, Source, in_file_order, printable
from runner.results.failures import Cause
from runner.units import counted

T = TypeVar("T")

MOST_ANNOTATIONS = 10
"""Of one kind in one step."""

LONGEST_TITLE = 200
LONGEST_ANNOTATION = 4096
"""Characters; GitHub cuts off what is much longer."""

Severity: TypeAlias = Literal["error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning")


def here(environ: Mapping[str, str]) -> bool:
    """Whether this is a step of a workflow."""
    return environ.get("GITHUB_ACTIONS") == "true"


def command(name: str, text: str = "", /, **properties: str | int | None) -> str:
    """A workflow command as one line; properties that are None are left out."""
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{name}{' ' if given else ''}{given}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def problem_annotations(source: Source, problems: Iterable[Problem], environ: Mapping[str, str]) -> list[str]:
    """Each problem at its line, as far as GitHub takes them; the last one tells how many more there are."""
    lines: list[str] = []
    found = in_file_order(problems)
    for severity in SEVERITIES:
        of_kind = [problem for problem in found if problem.severity == severity]
        shown, more = _within_limit(of_kind)
        for problem in shown:
            text = printable(problem.message) + (f"\nhint: {printable(problem.hint)}" if problem.hint else "")
            lines.append(_at(severity, source, problem, text, environ))
        if more:
            text = f"and {counted(more, 'more problem')} in `{source.name}`"
            lines.append(command(severity, text, file=in_repository(source.name, environ)))
    return lines


def _at(severity: Severity, source: Source, problem: Problem, text: str, environ: Mapping[str, str]) -> str:
    span = problem.span
    one_line = span is not None and span.line == span.end_line
    return command(
        severity,
        text[:LONGEST_ANNOTATION],
        file=in_repository(source.name, environ),
        line=span.line + 1 if span else None,
        endLine=span.end_line + 1 if span else None,
        col=span.column + 1 if span and one_line else None,
        endColumn=span.end_column + 1 if span and one_line else None,
        title=printable(problem.message),
    )


def cause_annotations(
    causes: Sequence[Cause], named: Mapping[str, str], tails: Mapping[str, Sequence[str]], file: str | None
) -> list[str]:
    """One for each cause: how many failed so, and an example. Its name and its last lines are in `named` and `tails`, by
    session; `file` is as the repository has it.
    """
    shown, more = _within_limit(causes)
    lines = []
    for cause in shown:
        example = cause.example.session
        text = "\n".join([f"for example {named.get(example, example)} ({example})", *tails.get(example, ())])
        title = f"{len(cause.failures):,} {cause.title}"
        lines.append(command("error", text[:LONGEST_ANNOTATION], file=file, title=title[:LONGEST_TITLE]))
    if more:
        rest = sum(len(cause.failures) for cause in causes[len(shown) :])
        lines.append(
            command("error", f"and {counted(rest, 'more failure')} of {counted(more, 'more cause')}", file=file)
        )
    return lines


def _within_limit(items: Sequence[T]) -> tuple[Sequence[T], int]:
    """What is shown, and how many more there are, which takes one annotation to say."""
    if len(items) <= MOST_ANNOTATIONS:
        return items, 0
    return items[: MOST_ANNOTATIONS - 1], len(items) - MOST_ANNOTATIONS + 1


def group(title: str, lines: Iterable[str], token: str) -> str:
    """Lines of whoever, folded away below a title; none of them is taken for a command. `token` is a secret of the moment."""
    body = "".join(f"{line}\n" for line in lines)
    return f"{command('group', title)}\n{command('stop-commands', token)}\n{body}::{token}::\n{command('endgroup')}\n"


def in_repository(name: str, environ: Mapping[str, str]) -> str:
    """A path as GitHub knows it: from the top of the repository, wherever the step works."""
    top = environ.get("GITHUB_WORKSPACE")
    if not top:
        return name
    path = os.path.relpath(os.path.realpath(name), os.path.realpath(top))
    return name if path.startswith("..") else path
