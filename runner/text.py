"""The text forms of variables, amounts, commands and shortened values."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping

from runner.model import Amount, Session, Value


def number(amount: Amount) -> int | float:
    """Return an exact amount as a JSON number."""
    return amount if isinstance(amount, int) else (int(amount) if amount.denominator == 1 else float(amount))


def variables(params: Mapping[str, Value], repeat: int | None = None) -> str:
    """Return the variables of a session as one line, such as `lr=0.1 seed=3`; long values are shortened."""
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
    """Return the command as one line for a shell; `code` for a snippet."""
    if session.exec is None:
        return "code"
    return session.exec if isinstance(session.exec, str) else shlex.join(session.exec)


def shortened(texts: Iterable[str], longest: int, mark: str) -> dict[str, str]:
    """Return a short form of each text, of at most `longest` characters, with `mark` in place of what is left out.

    Texts are cut in the middle, because similar names differ at their ends. Texts with the same short form are cut around
    their first difference instead; those that are still the same are not shortened.
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
    """Return the position of the first difference: that of the first and last text in sorted order."""
    *_, last = ordered = sorted(texts)
    pairs = zip(ordered[0], last, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(ordered[0]))


def _without_middle(text: str, longest: int, mark: str) -> str:
    if len(text) <= longest:
        return text
    room = longest - len(mark)
    return text[: room - room // 2] + mark + text[len(text) - room // 2 :]


def _around(text: str, place: int, longest: int, mark: str) -> str:
    """Return the beginning of the text, and the part around `place`."""
    if len(text) <= longest:
        return text
    head = longest // 4
    room = longest - head - 2 * len(mark)
    begin = min(max(head, place - room // 4), len(text) - room - len(mark))
    start = text[:begin] if begin <= head + len(mark) else text[:head] + mark
    rest = text[begin:]
    left = longest - len(start)
    return start + (rest if len(rest) <= left else rest[: left - len(mark)] + mark)
