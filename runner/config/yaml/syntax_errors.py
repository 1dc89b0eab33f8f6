"""What a YAML parser complains about, in the words of somebody who writes sweep files.

libyaml says `did not find expected key`; the user has to hear that a line is indented wrongly. The parser's words
(libyaml's and PyYAML's differ) only tell the cases apart; what is said comes from the text at the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from yaml.error import MarkedYAMLError, YAMLError
from yaml.scanner import ScannerError

from runner.config.yaml import dollar_brace, flow_repair
from runner.config.yaml.nodes import ScalarNode
from runner.diagnostics import Problem, Source, Span
from runner.model import Value

_CLOSER = {"[": "]", "{": "}"}
_TORN_RANGE = re.compile(r"(case|linspace|range|logspace|geomspace):(\[[^\]]*\]|[^\s\[\]{}])*")


def explain(source: Source, error: YAMLError, around: Sequence[Span]) -> Problem:
    """The problem that a YAMLError is. `around` are the beginnings of the collections it lies in, outermost first."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return Problem(f"not valid YAML: {' '.join(str(error).split())}", None)
    begun = error.context_mark
    complaint = _Complaint(
        source,
        words=f"{error.context or ''}: {error.problem or ''}".lower(),
        line=mark.line,
        column=mark.column,
        begun=(begun.line, begun.column) if begun else None,
        innermost=around[-1] if around else None,
    )
    for rule in _RULES:
        problem = rule(complaint)
        if problem is not None:
            return problem
    return Problem(f"not valid YAML: {error.problem}", complaint.here())


def no_such_character(parser: Any) -> YAMLError:
    """What libyaml would have said where PyYAML's own parser raised a ValueError."""
    return ScannerError(None, None, "found invalid Unicode character escape code", parser.get_mark())


@dataclass(frozen=True)
class _Complaint:
    """The parser's words, where it stood, where the thing begins that it was at, and the collection round it."""

    source: Source
    words: str
    line: int
    column: int
    begun: tuple[int, int] | None
    innermost: Span | None

    def says(self, *words: str) -> bool:
        return any(word in self.words for word in words)

    def text(self, line: int) -> str:
        return self.source.lines[line] if line < len(self.source.lines) else ""

    @property
    def rest(self) -> str:
        """Of the line, from where the parser stood."""
        return self.text(self.line)[self.column :]

    @property
    def before(self) -> str:
        return self.text(self.line)[: self.column]

    @property
    def opened(self) -> str:
        """The text of the line from where the thing begins."""
        return self.text(self.begun[0])[self.begun[1] :] if self.begun else ""

    @property
    def at_end(self) -> bool:
        return not "".join((self.rest, *self.source.lines[self.line + 1 :])).strip()

    def here(self, length: int = 1) -> Span:
        """From where the parser stood; at the end of the file, right behind the last there is."""
        line, column = self.line, self.column
        if self.at_end:
            line = max((n for n, text in enumerate(self.source.lines) if text.strip()), default=0)
            column, length = len(self.text(line).rstrip()), 1
        return Span(line, column, line, column + length)

    def there(self, length: int = 1) -> Span:
        """From where the thing begins."""
        line, column = self.begun or (self.line, self.column)
        return Span(line, column, line, column + max(1, length))


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _tab(at: _Complaint) -> Problem | None:
    if not at.rest.startswith("\t") or not at.says("cannot start any token", "tab character"):
        return None
    span = at.here(len(at.rest) - len(at.rest.lstrip()))
    where = "where only spaces may stand" if at.before.strip() else "in the indentation"
    return Problem(f"a tab {where}", span, "write spaces")


def _reserved(at: _Complaint) -> Problem | None:
    if not at.says("cannot start any token"):
        return None
    return Problem(f"a plain value cannot begin with `{at.rest[:1]}`", at.here(), "quote the value")


def _property(at: _Complaint) -> Problem | None:
    for kind, signs in (
        ("alias", ("an alias",)),
        ("anchor", ("an anchor",)),
        ("tag", (" a tag", "tag handle")),
    ):
        if at.says(*signs):
            found = re.match(r"[^\s,\[\]{}]*", at.opened)
            word = found[0] if found else ""
            return Problem(
                f"`{word}` is read as {'a' if kind == 'tag' else 'an'} {kind}",
                at.there(len(word)),
                f'quote it: `"{word}"`',
            )
    return None


def _quote(at: _Complaint) -> Problem | None:
    if not at.says("quoted scalar") or not at.says("end of stream", "unexpected document"):
        return None
    quote = at.opened[:1]
    return Problem(f"the quote `{quote}` is never closed", at.there(), f"put a `{quote}` at the end of the value")


def _escape(at: _Complaint) -> Problem | None:
    if not at.says("escape", "hexdecimal"):
        return None
    line = at.text(at.line)
    start = max(line.rfind("\\", 0, at.column + 1), 0)
    found = re.match(r"\\(x\w{0,2}|u\w{0,4}|U\w{0,8}|.?)", line[start:])
    escape = found[0] if found else ""
    span = Span(at.line, start, at.line, start + max(1, len(escape)))
    if at.says("unicode"):
        return Problem(f"`{escape}` is no character", span)
    if at.says("hexdecimal", "hexadecimal"):
        digits = {"x": 2, "u": 4, "U": 8}.get(escape[1:2], 2)
        return Problem(f"`{escape[:2]}` must be followed by {digits} hexadecimal digits", span)
    return Problem(f"unknown escape `{escape}`", span, "write `\\\\` for a backslash, or use single quotes")


def _dollar_brace(at: _Complaint) -> Problem | None:
    if not at.says("a flow ") or not at.before.endswith("$") or not at.rest.startswith("{"):
        return None
    found = re.match(r"\{[^{}\[\],\s]*\}?", at.rest)
    text = "$" + (found[0] if found else "")
    span = Span(at.line, at.column - 1, at.line, at.column - 1 + len(text))
    brackets = "[ ]" if at.opened.startswith("[") else "{ }"
    following = at.rest[len(text) - 1 :]
    return dollar_brace.unquoted(text if text.endswith("}") else text + "}", span, brackets, following)


def _brackets(at: _Complaint) -> Problem | None:
    if not at.says("a flow sequence:", "a flow mapping:") or at.begun is None or at.opened[:1] not in _CLOSER:
        return None
    opener = at.opened[0]
    closer = _CLOSER[opener]
    if at.rest[:1] in ("]", "}"):
        return Problem(f"`{opener}` is closed by `{at.rest[0]}`", at.here(), f"write `{closer}`")
    first = at.text(at.begun[0])
    swallowed = at.line > at.begun[0] and _indent(at.text(at.line)) <= _indent(first) < at.begun[1]
    if at.at_end or swallowed:
        return Problem(f"`{opener}` is never closed", at.there(), f"add the `{closer}`")
    if at.rest.startswith(":"):
        if re.search(r"[^,\[\]{}]{1024}\Z", at.before):
            return Problem("a key of more than 1024 characters", at.here())
        return Problem(
            f"{'a second' if opener == '{' else 'unexpected'} `:` in an entry of `{opener} {closer}`",
            at.here(),
            "put a comma between two entries, or quote a value that has a `:`",
        )
    return Problem(f"no `,` or `{closer}` before this", at.here(), "put a comma between two entries")


def _colon(at: _Complaint) -> Problem | None:
    if at.says("unexpected ':'"):
        torn = _TORN_RANGE.match(at.opened)
        if torn is not None:
            span = at.there(len(torn[0]))
            return flow_repair.unquoted_range(ScalarNode(Value(torn[0], torn[0]), False, span, False), "{ }")
        return Problem("no space after the `:`", at.here(), "put one there, or quote the value")
    if not at.says("mapping values are not allowed"):
        return None
    key = at.before.strip()
    if at.before.startswith(" ") and not re.search(r":\s|^-\s", key):
        span = Span(at.line, _indent(at.before), at.line, at.column)
        return Problem(f"`{key}` is indented deeper than the entry above", span, "align it with the keys it belongs to")
    return Problem("a `:` inside an unquoted value", at.here(), "quote the whole value")


def _nothing(at: _Complaint) -> Problem | None:
    if not at.says("node content"):
        return None
    if at.rest.startswith(":"):
        return Problem("no key before the `:`", at.here())
    if at.rest.startswith(","):
        return Problem("nothing before this `,`", at.here(), 'an empty value is written `""`')
    if at.says("flow node") and at.innermost is not None and (problem := _open_bracket(at, at.innermost)):
        return problem
    if at.at_end or at.rest.startswith("..."):
        return Problem("nothing where a value should be", at.here())
    return _closes_nothing(at) or Problem(
        f"a plain value cannot begin with `{at.rest[:1]}`", at.here(), "quote the value"
    )


def _open_bracket(at: _Complaint, begin: Span) -> Problem | None:
    opener = at.text(begin.line)[begin.end_column - 1 : begin.end_column] if begin.line == begin.end_line else ""
    if opener in _CLOSER and at.at_end:
        span = Span(begin.line, begin.end_column - 1, begin.line, begin.end_column)
        return Problem(f"`{opener}` is never closed", span, f"add the `{_CLOSER[opener]}`")
    if opener in _CLOSER and at.rest[:1] in _CLOSER.values():
        return Problem(f"`{opener}` is closed by `{at.rest[0]}`", at.here(), f"write `{_CLOSER[opener]}`")
    return None


def _closes_nothing(at: _Complaint) -> Problem | None:
    if at.rest[:1] not in ("]", "}"):
        return None
    return Problem(f"`{at.rest[0]}` closes nothing", at.here(), "remove it; if text is meant, quote the value")


def _dash(at: _Complaint) -> Problem | None:
    if at.says("sequence entries are not allowed"):
        return Problem(
            "a list cannot begin on the line of its key",
            at.here(),
            "begin each item on a line of its own; if text is meant, quote the value",
        )
    if at.says("mapping keys are not allowed"):
        return Problem("a plain value cannot begin with `? `", at.here(), "quote the value")
    return None


def _line(at: _Complaint) -> Problem | None:
    if not at.says("expected key", "expected <block end>", "'-' indicator", "document start>"):
        return None
    if (problem := _closes_nothing(at)) is not None:
        return problem
    whole = at.here(max(1, len(at.rest.rstrip())))
    if at.says("document start>"):
        return Problem("text after the end of the document", whole, "remove it")
    if not at.before.strip():
        if at.says("block collection"):
            return Problem("not part of the list above", whole, "begin it with `- `, or correct its indentation")
        return Problem("the indentation of this line fits no line above", whole, "align it with the keys it belongs to")
    if at.before.endswith("'"):
        return Problem("text after the closing quote", whole, "inside single quotes, a quote is written `''`")
    if at.before.rstrip().endswith('"'):
        return Problem("text after the closing quote", whole, "put all of the value inside the quotes")
    return Problem("text after the end of the value", whole, "quote the whole value")


def _no_colon(at: _Complaint) -> Problem | None:
    if not at.says("could not find expected ':'"):
        return None
    text = at.opened.split(" #")[0].strip()
    hint = "an entry is written `key: value`"
    if re.match(r"-\S", text):
        hint = "put a space after the `-`"
    elif re.match(r"[\w\"']+:\S", text):
        hint = "put a space after the `:`"
    return Problem("an entry without `: `", at.there(len(text)), hint)


def _directive(at: _Complaint) -> Problem | None:
    line = at.text(at.line)
    if not line.startswith("%"):
        return None
    word = line.split()[0]
    return Problem(f"unknown directive `{word}`", Span(at.line, 0, at.line, len(word)), "if text is meant, quote it")


def _block(at: _Complaint) -> Problem | None:
    if not at.says("block scalar") or not at.says("comment or", "indicators"):
        return None
    return Problem(
        f"text behind the `{at.opened[:1]}`",
        at.here(len(at.rest.rstrip())),
        "begin the text on the next line",
    )


_RULES: tuple[Callable[[_Complaint], Problem | None], ...] = (
    _tab,
    _reserved,
    _property,
    _quote,
    _escape,
    _dollar_brace,
    _brackets,
    _colon,
    _nothing,
    _dash,
    _line,
    _no_colon,
    _block,
    _directive,
)
