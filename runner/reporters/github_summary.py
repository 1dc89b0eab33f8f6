"""The summary that GitHub shows on the page of a job: counts, causes of failures, and the table of sessions."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.results.columns import Column, Row
from runner.results.failures import Cause, headline
from runner.results.tables import markdown
from runner.text import escape
from runner.units import counted

LARGEST = 1024 * 1024
"""Bytes of all that a step writes to its summary; GitHub rejects a larger one."""

MOST_CAUSES = 10

CUT = "\n… and more: the summary has reached its limit, `runner results` shows all sessions\n"


@dataclass(frozen=True)
class JobSummary:
    """The summary of an apply."""

    title: str
    outcome: str
    causes: Sequence[Cause]
    named: Mapping[str, str]
    """The variables of each cause's example, by session."""
    tails: Mapping[str, Sequence[str]]
    """The last log lines of each cause's example, by session."""
    columns: Sequence[Column[Row]]

    def markdown(self, rows: Iterable[Row], limit: int) -> str:
        """At most `limit` bytes: lines at the end of the table are left out, or all of it."""
        kept: list[str] = []
        left = limit - len(CUT.encode())
        for piece in itertools.chain(["".join(self._head())], self._table(rows), ["\n"]):
            left -= len(piece.encode())
            if left < 0:
                return "".join([*kept, CUT]) if kept else ""
            kept.append(piece)
        return "".join(kept)

    def _head(self) -> Iterator[str]:
        yield f"## {escape.markdown(self.title)}\n\n{escape.markdown(self.outcome)}\n\n"
        if self.causes:
            yield f"### {headline(self.causes)}\n\n"
        for cause in self.causes[:MOST_CAUSES]:
            example = cause.example.session
            yield f"- **{len(cause.failures):,} {escape.markdown(cause.how)}**"
            yield f": {escape.markdown(cause.text)}" if cause.text else ""
            yield f"<br>for example {escape.markdown(self.named.get(example, example))}\n"
            if tail := self.tails.get(example):
                inner = escape.html_in_markdown("\n".join(tail))
                yield f"  <details><summary>last lines of its log</summary><pre>{inner}</pre></details>\n"
        if len(self.causes) > MOST_CAUSES:
            yield f"- and {counted(len(self.causes) - MOST_CAUSES, 'more cause')}\n"
        if self.causes:
            yield "\n"

    def _table(self, rows: Iterable[Row]) -> Iterator[str]:
        """The lines of the results table, one by one, as a sweep can be long."""
        header = _table_of([], self.columns)
        yield header
        for row in rows:
            yield _table_of([row], self.columns)[len(header) :]


def _table_of(rows: Iterable[Row], columns: Sequence[Column[Row]]) -> str:
    out = io.StringIO()
    markdown(rows, columns, out)
    return out.getvalue()
