"""Long texts cut for people, so that those that differ still do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping


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
