"""The summary that GitHub shows on the page of a job: what an apply came to, why sessions failed, and their table."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.results.columns import Column, Row
from runner.results.failures import Cause, headline
from runner.results.markdown import html, inline
from runner.results.tables import markdown
from runner.units import counted

LARGEST = 1024 * 1024
"""Bytes of one step's summary, whoever wrote them; GitHub refuses a larger one as a whole."""

MOST_CAUSES = 10

CUT = "\n… and more, which `runner results` shows: a summary holds no more than this\n"


@dataclass(frozen=True)
class Summary:
    """What a job's page tells of an apply. `tails` has the last lines of each cause's example, by session."""

    title: str
    outcome: str
    causes: Sequence[Cause]
    named: Mapping[str, str]
    tails: Mapping[str, Sequence[str]]
    columns: Sequence[Column[Row]]

    def markdown(self, rows: Iterable[Row], room: int) -> str:
        """At most `room` bytes, of which nothing is cut but lines of the table at its end; empty where there is no room."""
        kept: list[str] = []
        left = room - len(CUT.encode())
        for piece in itertools.chain(["".join(self._head())], self._table(rows), ["\n"]):
            left -= len(piece.encode())
            if left < 0:
                return "".join([*kept, CUT]) if kept else ""
            kept.append(piece)
        return "".join(kept)

    def _head(self) -> Iterator[str]:
        yield f"## {inline(self.title)}\n\n{inline(self.outcome)}\n\n"
        if self.causes:
            yield f"### {headline(self.causes)}\n\n"
        for cause in self.causes[:MOST_CAUSES]:
            example = cause.example.session
            yield f"- **{len(cause.failures):,} {inline(cause.how)}**"
            yield f": {inline(cause.text)}" if cause.text else ""
            yield f"<br>for example {inline(self.named.get(example, example))}\n"
            if tail := self.tails.get(example):
                inner = html("\n".join(tail))
                yield f"  <details><summary>its last lines</summary><pre>{inner}</pre></details>\n"
        if len(self.causes) > MOST_CAUSES:
            yield f"- and {counted(len(self.causes) - MOST_CAUSES, 'more cause')}\n"
        if self.causes:
            yield "\n"

    def _table(self, rows: Iterable[Row]) -> Iterator[str]:
        """The lines of the results table, one by one: the sweep may be of any length."""
        header = _table_of([], self.columns)
        yield header
        for row in rows:
            yield _table_of([row], self.columns)[len(header) :]


def _table_of(rows: Iterable[Row], columns: Sequence[Column[Row]]) -> str:
    out = io.StringIO()
    markdown(rows, columns, out)
    return out.getvalue()
