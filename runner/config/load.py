"""From text to a checked sweep; all problems of a file in one go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.config import schema
from runner.config.checks import check_values
from runner.config.loader import Reader
from runner.config.sweep import Sweep
from runner.config.yaml import parse
from runner.diagnostics import InvalidSweep, Source


def load(source: Source, folder: Path) -> Sweep:
    """Read a sweep from its text. `folder` is where its relative paths start.

    Raises InvalidSweep with every problem of the file, in file order; what is returned has warnings at most.
    """
    document, problems = parse(source)
    if document is None:
        raise InvalidSweep(source, problems)
    accepted, mismatches = schema.check(document)
    reader = Reader(source, accepted, [*problems, *mismatches])
    sweep = reader.read(folder)
    for problem in check_values(sweep):
        reader.add(problem)
    if reader.has_errors:
        raise InvalidSweep(source, reader.problems)
    return replace(sweep, warnings=tuple(reader.problems))
