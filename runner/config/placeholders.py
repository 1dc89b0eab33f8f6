"""Variables written as in other tools: `{{ lr }}`, `${{ matrix.lr }}`, `{lr}`, `%(lr)s`, `${params.lr}`, `${lr:-1}`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

_FORMS = re.compile(
    r"\$?\{\{\s*(?:\w+\.)*(?P<double>[A-Za-z_]\w*)\s*\}\}"
    r"|\$\{(?:\w+\.)+(?P<member>[A-Za-z_]\w*)\}"
    r"|\$\{(?P<default>[A-Za-z_]\w*):?[-=?+][^}]*\}"
    r"|%\((?P<percent>[A-Za-z_]\w*)\)[sdfgr]"
    r"|(?<!\$)\{(?P<single>[A-Za-z_]\w*)\}"
)


class Placeholder(NamedTuple):
    """A use of a variable in another tool's notation, as text[start:end]."""

    start: int
    end: int
    name: str
    text: str
    has_default: bool


def find(text: str, known: Collection[str], *, shell: bool = False) -> Iterator[Placeholder]:
    """Yield the placeholders for `known` variables. In a string for the shell, `${lr:-1}` and `{lr}` are the shell's own."""
    for found in _FORMS.finditer(text):
        kind = str(found.lastgroup)
        if found[kind] in known and not (shell and kind in ("default", "single")):
            yield Placeholder(found.start(), found.end(), found[kind], found[0], kind == "default")


def bare(text: str, name: str) -> tuple[int, int] | None:
    """Return where a text has the name of a variable as a word, or in braces: `train --lr lr`, `train --lr {lr}`."""
    found = re.search(rf"(?<!\$)\{{{re.escape(name)}\}}|(?<![\w$./={{-]){re.escape(name)}(?![\w./=(:}}-])", text)
    return found.span() if found else None
