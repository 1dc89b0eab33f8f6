"""Sessions as people and programs read them: one place for how variables, amounts and commands look."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from runner.apply.selection import Planned
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


def plan_row(planned: Planned) -> dict[str, Any]:
    """One session as `plan --format json` prints it; its shape is `schemas/plan.schema.json`."""
    session = planned.session
    return {
        "index": session.index,
        "id": session.id,
        "repeat": session.repeat,
        "params": {name: value.data for name, value in session.params.items()},
        "exec": session.exec,
        "env": session.env,
        "resources": {name: number(amount) for name, amount in session.resources.items()},
        "status": planned.status.value,
        "reason": planned.reason,
    }
