"""Shortened texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from runner.text.escape import printable

MARK = "…"
"""Stands for what is left out."""


LONGEST_EXCERPT = 40
"""Characters of a value that a message shows."""


def excerpt(text: str, longest: int = LONGEST_EXCERPT) -> str:
    """Return the text on one line, printable; if it is longer than `longest` characters, its beginning and MARK."""
    shown = printable(text)
    return shown if len(shown) <= longest else shown[: longest - len(MARK)] + MARK


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
