"""The line of a log that says why a program failed.

Python, git, compilers and shells report on stderr; pytest, jest, go test and cargo on stdout, while stderr has warnings
and progress. So lines of both streams are graded by their form, and the last one of the best grade is taken, of stderr
before stdout. A program whose words are not known keeps the rule of old: the last line of stderr, else of stdout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias

Stream: TypeAlias = Literal["stdout", "stderr"]


class Grade(IntEnum):
    """How well a line explains a failure, the best first."""

    VERDICT = 0
    """In the form that a known program gives to its verdict."""
    ERROR = 1
    """It speaks of an error."""
    CONSEQUENCE = 2
    """It says that something failed, not why: `make: *** [all] Error 1`."""
    TEXT = 3
    NOISE = 4
    """A warning, a note, progress."""


class Explained(NamedTuple):
    line: str
    stream: Stream


_NOISE = re.compile(
    r"""
      \b\w*warn(?:ing)?s?\b (?! .* \berror: )
    | ^\s*(?:npm\s)?\[?(?:notice|note|info|debug|trace|hint|help)\b
    | ^\W*(?:INFO|DEBUG|TRACE|NOTICE)\b
    | \d{1,3}%\s*\|
    """,
    re.I | re.X,
)

_EXCEPTION = re.compile(
    r"""
      ^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Failure|Failed|Timeout|Exit)\b(?::\s|$)  # Python, JavaScript
    | ^Exception\sin\sthread | ^Caused\sby:                    # Java
    | \([\w:]+Error\)$                                         # Ruby
    """,
    re.X,
)
_CONSEQUENCE = re.compile(
    r"""
      ^\w*make(?:\[\d+\])?:\s\*\*\*
    | ^ninja:\sbuild\sstopped | ^collect2:\serror | ^compilation\sterminated
    | ^error:\s(?:could\snot\scompile|aborting\sdue\sto|test\sfailed) | \bError:\sProcess\scompleted\swith\sexit\scode
    | ^FAIL(?:\s|$)(?!\S+\.[cm]?[jt]sx?) | ^test\sresult:\sFAILED
    | ^npm\s(?:ERR!|error) | ^Execution\shalted | ^error\sCommand\sfailed
    | \bexited\b | \bexit\s(?:status|code)\b
    | ^[=\s]*[1-9]\d*\s(?:failed|errors?)\b                         # pytest's last line
    | ^Tests?(?:\sSuites)?:\s                                  # jest's last lines
    """,
    re.I | re.X,
)
_VERDICT = re.compile(
    r"""
      ^(?:FAILED|ERROR)\s\S+(?:::|\.py|\s-\s)                  # pytest's summary
    | ^E\s{2,}\S                                               # pytest's assertion
    | ^\s*---\sFAIL: | ^panic:                                 # go
    | ^thread\s.*\bpanicked\sat | ^error\[E\d+\]               # rust
    | ^FAIL\s\S+\.[cm]?[jt]sx? | ^\s*●\s.*\s›\s | ^\s*[✕✗×✖]\s # jest, mocha
    | ^(?:\S+:)+\s(?:fatal\s|internal\scompiler\s)?error:      # gcc, clang, srun, and many others
    | ^fatal:                                                  # git
    | ^Error\sin\s | ^ERROR:\sLoadError                        # R, Julia
    | (?i:\bassertion\b.*\bfailed)                             # C, rust
    | \b(?:Killed|Segmentation\sfault|Bus\serror|Aborted|Illegal\sinstruction|Floating\spoint\sexception)\b
    | (?i:\boom[-_ ]?kill|\bout\sof\smemory) | \bAddressSanitizer\b
    """,
    re.X,
)
_ERROR = re.compile(
    r"""
      ^\W*(?:error|fatal|fail(?:ed|ure)?|critical|exception|abort(?:ed)?|panic)\b(?!\W*[-+.0-9]|\srate)
    | \b(?:error|exception|failure)s?:(?!\s*[-+.0-9])
    | (?-i:\b(?:ERROR|FATAL|CRITICAL|FAILED)\b)
    """,
    re.I | re.X,
)
_TROUBLE = re.compile(
    r"\b(?:no such|not found|cannot|can't|could not|unable to|failed to|denied|refused|invalid|undefined|unrecognized"
    r"|unknown|timed out|no space left|not permitted|not defined|does not exist|missing)\b",
    re.I,
)
"""Words of an error. On stdout they are words like others."""


def explain(stderr: Sequence[str], stdout: Sequence[str]) -> Explained | None:
    """Return the line that explains a failure, from the ends of both logs; None if both are blank."""
    best: tuple[Grade, Explained] | None = None
    streams: tuple[tuple[Stream, Sequence[str]], ...] = (("stderr", stderr), ("stdout", stdout))
    for stream, lines in streams:
        for grade, line in _graded(lines, stream):
            later = best is not None and best[1].stream == stream and grade == best[0]
            if best is None or grade < best[0] or later:
                best = grade, Explained(line, stream)
    return best[1] if best else None


def _graded(lines: Sequence[str], stream: Stream) -> Iterator[tuple[Grade, str]]:
    """Yield the lines that are not blank with their grades."""
    grade, in_traceback = Grade.TEXT, False
    for line in lines:
        if not line.strip():
            continue
        indented = line[0].isspace()
        if in_traceback and not indented:  # the line behind the frames: any exception, under any name
            in_traceback, grade = False, Grade.VERDICT
        elif line.startswith("Traceback (most recent call last)"):
            in_traceback, grade = True, Grade.CONSEQUENCE
        elif in_traceback:
            grade = Grade.NOISE
        elif not (indented and grade is Grade.NOISE):  # the source line of a warning is a part of it
            grade = _grade(line, stream)
        yield grade, line.strip() if grade is not Grade.TEXT else line


def _grade(line: str, stream: Stream) -> Grade:
    if _NOISE.search(line):
        return Grade.NOISE
    if _EXCEPTION.search(line):
        return Grade.VERDICT
    if _CONSEQUENCE.search(line):
        return Grade.CONSEQUENCE
    if _VERDICT.search(line):
        return Grade.VERDICT
    is_error = _ERROR.search(line) or (stream == "stderr" and _TROUBLE.search(line))
    return Grade.ERROR if is_error else Grade.TEXT
