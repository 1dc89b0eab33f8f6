"""The text forms of variables, amounts and commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from runner.model import Amount, Session, Value
from runner.text.shorten import excerpt

LONGEST_VALUE = 60
"""Characters of a value up to which all of it is shown."""


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
    shown = excerpt(text, LONGEST_VALUE)
    return shown if shown and " " not in shown else repr(shown)


def command(session: Session) -> str:
    """Return the command as one line for a shell; `code` for a snippet."""
    if session.exec is None:
        return "code"
    return session.exec if isinstance(session.exec, str) else shlex.join(session.exec)
