"""The problems that are found while a sweep file is read."""

from __future__ import annotations

from runner.config.yaml.nodes import MappingNode, ScalarNode, place
from runner.diagnostics import Problem, Source, Span


class Report:
    """The problems of one file, at most one error for each place."""

    def __init__(self, source: Source, document: MappingNode, problems: list[Problem]) -> None:
        self.source = source
        self.document = document
        self.problems = problems

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def add(self, problem: Problem) -> None:
        """Add a problem, unless there is an error in a part of its place already."""
        if not any(known.severity == "error" and _inside(known.span, problem.span) for known in self.problems):
            self.problems.append(problem)

    def error(self, message: str, span: Span, hint: str | None = None) -> None:
        self.add(Problem(message, span, hint))

    def warning(self, message: str, span: Span, hint: str | None = None) -> None:
        self.add(Problem(message, span, hint, "warning"))

    def error_in_text(self, node: ScalarNode, start: int, end: int, message: str, hint: str | None) -> None:
        """Add an error at the characters `start` to `end` of a scalar."""
        self.error(message, place(self.source, node, start, end), hint)

    def key_span(self, key: str) -> Span:
        node = self.document.key(key)
        return node.span if node else self.document.span


def _inside(part: Span | None, whole: Span | None) -> bool:
    if part is None or whole is None:
        return False
    begins = (whole.line, whole.column) <= (part.line, part.column)
    return begins and (part.end_line, part.end_column) <= (whole.end_line, whole.end_column)
