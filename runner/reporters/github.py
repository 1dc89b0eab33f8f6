"""GitHub Actions: workflow commands and annotations, as lines of text within its limits.

GitHub shows ten annotations of each kind for a step and drops the others silently. It takes every line of a log that looks
like a command for one, so the output of sessions is printed only while commands are stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from runner.diagnostics import Problem, Source, in_file_order
from runner.text.escape import printable
from runner.text.workflow import command
from runner.units import counted

if TYPE_CHECKING:
    from runner.results.failures import Cause

T = TypeVar("T")

MOST_ANNOTATIONS = 10
"""Annotations of one kind in one step."""

LONGEST_TITLE = 200
LONGEST_ANNOTATION = 4096
"""Characters; GitHub cuts longer ones."""

Severity: TypeAlias = Literal["error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning")


def problem_annotations(source: Source, problems: Iterable[Problem], environ: Mapping[str, str]) -> list[str]:
    """An annotation for each problem at its line, within the limit; the last one counts the others."""
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
    """An annotation for each cause, within the limit: the count and an example.

    `named` and `tails` have the variables and the last log lines of the examples, by session. `file` is relative to the
    repository.
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
    """The items to show, and how many more there are; counting these takes one annotation."""
    if len(items) <= MOST_ANNOTATIONS:
        return items, 0
    return items[: MOST_ANNOTATIONS - 1], len(items) - MOST_ANNOTATIONS + 1


def group(title: str, lines: Iterable[str], token: str) -> str:
    """Lines folded below a title, none of which is taken for a command. `token` must be a fresh secret."""
    body = "".join(f"{printable(line)}\n" for line in lines)
    return f"{command('group', title)}\n{command('stop-commands', token)}\n{body}::{token}::\n{command('endgroup')}\n"


def in_repository(name: str, environ: Mapping[str, str]) -> str:
    """The path relative to the repository; unchanged outside of it."""
    top = environ.get("GITHUB_WORKSPACE")
    if not top:
        return name
    path = os.path.relpath(os.path.realpath(name), os.path.realpath(top))
    return name if path.startswith("..") else path
