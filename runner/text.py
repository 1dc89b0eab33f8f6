"""Sessions as people and programs read them: one place for how variables, amounts and commands look."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping

from runner.model import Amount, Session, Value


def number(amount: Amount) -> int | float:
    """An exact amount as JSON has it."""
    return amount if isinstance(amount, int) else (int(amount) if amount.denominator == 1 else float(amount))


def variables(params: Mapping[str, Value], repeat: int | None = None) -> str:
    """`lr=0.1 seed=3`: what a person needs to tell one session from another."""
    shown = [f"{name}={_word(value.text)}" for name, value in params.items()]
    if repeat:
        shown.append(f"repeat={repeat}")
    return " ".join(shown) or "(no variables)"


def _word(text: str) -> str:
    shown = text if text.isprintable() else ascii(text)[1:-1]
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return shown if shown and " " not in shown else repr(shown)


def command(session: Session) -> str:
    """The command as one line of shell, for people to read and copy."""
    if session.exec is None:
        return "code"
    return session.exec if isinstance(session.exec, str) else shlex.join(session.exec)


def shortened(texts: Iterable[str], longest: int, mark: str) -> dict[str, str]:
    """Each text as its short form, of at most `longest` characters, `mark` where some are left out.

    Cut in the middle: names of a family differ at their ends. Those that would read the same show the first place where
    they differ, and whole what even that does not tell apart.
    """
    short = {text: _without_middle(text, longest, mark) for text in texts}
    for alike in _alike(short):
        place = _first_difference(alike)
        short |= {text: _around(text, place, longest, mark) for text in alike}
    for alike in _alike(short):
        short |= {text: text for text in alike}
    return short


def _alike(short: Mapping[str, str]) -> list[list[str]]:
    found = defaultdict(list)
    for text, form in short.items():
        found[form].append(text)
    return [texts for texts in found.values() if len(texts) > 1]


def _first_difference(texts: Iterable[str]) -> int:
    """The first and the last in their order differ before any two between them do."""
    *_, last = ordered = sorted(texts)
    pairs = zip(ordered[0], last, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(ordered[0]))


def _without_middle(text: str, longest: int, mark: str) -> str:
    if len(text) <= longest:
        return text
    room = longest - len(mark)
    return text[: room - room // 2] + mark + text[len(text) - room // 2 :]


def _around(text: str, place: int, longest: int, mark: str) -> str:
    """Its beginning, and what stands at the place."""
    if len(text) <= longest:
        return text
    head = longest // 4
    room = longest - head - 2 * len(mark)
    begin = min(max(head, place - room // 4), len(text) - room - len(mark))
    start = text[:begin] if begin <= head + len(mark) else text[:head] + mark
    rest = text[begin:]
    left = longest - len(start)
    return start + (rest if len(rest) <= left else rest[: left - len(mark)] + mark)
