"""What libyaml reports, in words for the author of a sweep file.

The table covers the common mistakes; the first row that matches decides. Anything else is shown in libyaml's own words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from yaml.error import MarkedYAMLError, YAMLError

from runner.config.yaml import characters
from runner.diagnostics import Problem, Source, Span

_CLOSER = {"[": "]", "{": "}"}


def explain(source: Source, error: YAMLError, open_collections: Sequence[Span]) -> Problem:
    """Return the problem of a YAMLError. `open_collections` begin before it and are not closed, outermost first."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return Problem(f"not valid YAML: {' '.join(str(error).split())}", None)
    context = error.context_mark
    report = _Report(
        source=source,
        said=f"{error.context or ''}: {error.problem or ''}".lower(),
        line=mark.line,
        column=mark.column,
        begin=(context.line, context.column) if context else (mark.line, mark.column),
        innermost=open_collections[-1] if open_collections else None,
    )
    if problem := characters.space_in_syntax(source, max(report.begin[0] - 1, 0), mark.line):
        return problem
    for rule in (*_ROWS, _brackets, _indentation):
        problem = rule.apply(report) if isinstance(rule, _Row) else rule(report)
        if problem is not None:
            return problem
    return Problem(f"not valid YAML: {error.problem}", report.here())


@dataclass(frozen=True)
class _Report:
    """One report of libyaml."""

    source: Source
    said: str
    """Its words, in lower case: `CONTEXT: PROBLEM`."""
    line: int
    column: int
    begin: tuple[int, int]
    """Line and column where the construct begins that it was reading."""
    innermost: Span | None
    """Where the innermost open collection begins."""

    def text(self, line: int) -> str:
        return self.source.lines[line] if line < len(self.source.lines) else ""

    @property
    def rest(self) -> str:
        """The line from the position of the report."""
        return self.text(self.line)[self.column :]

    @property
    def before(self) -> str:
        return self.text(self.line)[: self.column]

    @property
    def at_end(self) -> bool:
        """Only white space follows."""
        return not "".join((self.rest, *self.source.lines[self.line + 1 :])).strip()

    def here(self, length: int = 1) -> Span:
        """Return the position of the report; at the end of the file, the one after the last character."""
        line, column = self.line, self.column
        if self.at_end:
            line = max((number for number, text in enumerate(self.source.lines) if text.strip()), default=0)
            column, length = len(self.text(line).rstrip()), 1
        return Span(line, column, line, column + length)


class _Row(NamedTuple):
    """A mistake: what libyaml says, what the text is, and the problem, with `{0}` for the text and `{1}` for its group."""

    said: str
    where: Literal["here", "begin", "around"]
    """The pattern matches at the position of the report, where its construct begins, or around its position."""
    pattern: str
    message: str
    hint: str | None = None

    def apply(self, report: _Report) -> Problem | None:
        if not re.search(self.said, report.said):
            return None
        line, column = report.begin if self.where == "begin" else (report.line, report.column)
        text = report.text(line)
        if self.where == "around":
            matches = [found for found in re.finditer(self.pattern, text) if found.start() <= column]
            found = matches[-1] if matches and (matches[-1].end() >= column) else None
        else:
            found = re.compile(self.pattern).match(text, column)
        if found is None:
            return None
        words = (found[0].rstrip(), *found.groups())
        if report.at_end and self.where == "here":
            span = report.here()
        else:
            span = Span(line, found.start(), line, found.start() + max(1, len(words[0])))
        return Problem(self.message.format(*words), span, self.hint and self.hint.format(*words))


_WORD = r"[^\s,\[\]{}]*"
_ROWS = (
    _Row("", "around", r"\$\{\{\s*(?:\w+\.)*(\w+)\s*\}\}", "`{0}` is not a variable", "write `${1}`"),
    _Row("maximum nesting depth", "here", ".", "nested deeper than 100 levels"),
    _Row("a flow ", "around", r"\$\{(\w+)\}(?!\w)", "unquoted `{0}` in brackets", "write `${1}`, or quote the value"),
    _Row("a flow ", "around", r"\$\{[^{}\[\],\s]*\}?", "unquoted `{0}` in brackets", "quote the whole value"),
    _Row("cannot start any token|tab character", "here", r"\t\s*", "a tab where YAML needs spaces", "write spaces"),
    _Row("cannot start any token", "here", r"(\S)", "a plain value cannot begin with `{1}`", "quote the value"),
    _Row("an alias", "begin", _WORD, "`{0}` is read as an alias", 'quote it: `"{0}"`'),
    _Row("an anchor", "begin", _WORD, "`{0}` is read as an anchor", 'quote it: `"{0}"`'),
    _Row(" a tag|tag handle", "begin", _WORD, "`{0}` is read as a tag", 'quote it: `"{0}"`'),
    _Row(
        "quoted scalar.*(end of stream|unexpected document)",
        "begin",
        "(['\"])",
        "the quote `{1}` is never closed",
        "put a `{1}` at the end of the value",
    ),
    _Row(
        "invalid unicode",
        "around",
        r"\\u[dD][89a-fA-F][0-9a-fA-F]*",
        "`{0}` is half of a character",
        "write the character itself",
    ),
    _Row("invalid unicode", "around", r"\\[xuU][0-9a-fA-F]*", "`{0}` is not a character"),
    _Row(
        "hexdecimal|hexadecimal",
        "around",
        r"\\[xuU]\w{0,8}",
        "`{0}` needs 2 digits after `\\x`, 4 after `\\u`, 8 after `\\U`",
    ),
    _Row("escape", "around", r"\\.", "unknown escape `{0}`", "write `\\\\` for a backslash, or use single quotes"),
    _Row(
        "unexpected ':'",
        "begin",
        r"(?:case|linspace|range|logspace|geomspace):(?:\[[^\]]*\]|[^\s\[\]{}])*",
        "a comma ends an unquoted range expression in `{{ }}`",
        'quote it, such as `"case:1,2"`',
    ),
    _Row("unexpected ':'", "here", ":", "no space after the `:`", "put one there, or quote the value"),
    _Row(
        "sequence entries are not allowed",
        "here",
        "-",
        "a list cannot begin on the line of its key",
        "begin each item on its own line; if text is meant, quote the value",
    ),
    _Row("mapping keys are not allowed", "here", r"\?", "a plain value cannot begin with `? `", "quote the value"),
    _Row("could not find expected ':'", "begin", r"-\S.*", "an entry without `: `", "put a space after the `-`"),
    _Row(
        "could not find expected ':'", "begin", r"[\w\"']+:\S.*", "an entry without `: `", "put a space after the `:`"
    ),
    _Row("could not find expected ':'", "begin", r"[^#]*", "an entry without `: `", "an entry is written `key: value`"),
    _Row(
        "block scalar.*(comment or|indicators)",
        "here",
        r"(.*)",
        "text after the block indicator",
        "begin the text on the next line",
    ),
    _Row("document start>", "here", r"(.*)", "text after the end of the document", "remove it"),
    _Row("directive|incompatible", "around", r"^%\S*", "unknown directive `{0}`", "if text is meant, quote it"),
)


def _brackets(report: _Report) -> Problem | None:
    """Return the problem of a bracket that is not closed, closes nothing, or closes another one."""
    sign = report.rest[:1]
    if "a flow " in report.said or "flow node" in report.said:
        line, column = report.begin
        if report.innermost is not None and report.text(line)[column : column + 1] not in _CLOSER:
            line, column = report.innermost.end_line, report.innermost.end_column - 1
        opener = report.text(line)[column : column + 1]
        closer = _CLOSER.get(opener, "")
        if closer and sign in ("]", "}") and sign != closer:
            return Problem(f"`{opener}` is closed by `{sign}`", report.here(), f"write `{closer}`")
        first = report.text(line)
        outdented = report.line > line and _indent(report.text(report.line)) <= _indent(first) < column
        if closer and (report.at_end or outdented):
            return Problem(f"`{opener}` is never closed", Span(line, column, line, column + 1), f"add the `{closer}`")
        if "node content" in report.said:
            if sign == ":":
                return Problem("no key before the `:`", report.here())
            if sign == ",":
                return Problem("a value is missing before this", report.here(), 'an empty value is written `""`')
            return Problem(f"a plain value cannot begin with `{sign}`", report.here(), "quote the value")
        if closer and sign == ":":
            if re.search(r"[^,\[\]{}]{1024}\Z", report.before):
                return Problem("a key of more than 1024 characters", report.here())
            hint = "put a comma between two entries, or quote a value that contains a `:`"
            return Problem(f"unexpected `:` in `{opener} {closer}`", report.here(), hint)
        if closer:
            return Problem(f"no `,` or `{closer}` before this", report.here(), "put a comma between two entries")
    if sign in ("]", "}"):
        return Problem(f"`{sign}` closes nothing", report.here(), "remove it; if text is meant, quote the value")
    return None


def _indentation(report: _Report) -> Problem | None:
    """Return the problem of a line or a value that does not continue what is above or before it."""
    whole = report.here(max(1, len(report.rest.rstrip())))
    if "node content" in report.said:
        return Problem("a value is missing", report.here())
    if "mapping values are not allowed" in report.said:
        key = report.before.strip()
        if not report.before.startswith(" ") or re.search(r":\s|^-\s", key):
            return Problem("a `:` inside an unquoted value", report.here(), "quote the whole value")
        span = Span(report.line, _indent(report.before), report.line, report.column)
        return Problem(f"`{key}` is indented more than the entry above", span, "align it with the keys it belongs to")
    if not re.search("expected key|expected <block end>|'-' indicator", report.said):
        return None
    if not report.before.strip():
        if "block collection" in report.said:
            return Problem("not part of the list above", whole, "begin it with `- `, or correct its indentation")
        return Problem("the indentation matches no line above", whole, "align it with the keys it belongs to")
    if report.before.endswith("'"):
        return Problem("text after the closing quote", whole, "inside single quotes, a quote is written `''`")
    if report.before.rstrip().endswith('"'):
        return Problem("text after the closing quote", whole, "put all of the value inside the quotes")
    return Problem("text after the end of the value", whole, "quote the whole value")


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
