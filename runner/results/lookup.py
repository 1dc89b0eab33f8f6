"""Find the session that an argument names: by id, by a unique prefix of the id, or by its values."""

from __future__ import annotations

import itertools
import re

from runner.errors import InvalidInput
from runner.model import Session
from runner.plan.plan import Plan
from runner.plan.selection import parse_selection
from runner.state import State
from runner.text.sessions import variables

SHOWN = 5


def find(text: str, plan: Plan, state: State | None) -> str:
    """The id of the session that `text` names. Raises InvalidInput if there is none, or more than one."""
    if "=" in text:
        return _by_values(text, plan)
    if not re.fullmatch("[0-9a-fA-F]{1,16}", text):
        raise InvalidInput(
            f"`{text}` is neither a session's id nor `NAME=VALUE`",
            "ids are the first column of `runner results`",
        )
    prefix = text.lower()
    stored = state.journal.sessions_matching(prefix, live=False) if state else []
    if len(stored) == 1:
        return stored[0].id
    if stored:
        raise InvalidInput(
            f"`{text}` is a prefix of the ids of {len(stored)} sessions or more",
            f"for example {stored[0].id} and {stored[1].id}",
        )
    if any(point.id.startswith(prefix) for point in plan.points()):
        raise InvalidInput(f"session `{text}` has not run yet", "`runner apply` runs it")
    raise InvalidInput(f"no session `{text}`", "ids are the first column of `runner results`")


def _by_values(text: str, plan: Plan) -> str:
    found = list(itertools.islice(plan.sessions(parse_selection(text, plan.sweep.space.names)), SHOWN + 1))
    if not found:
        raise InvalidInput(f"no session has `{text}`")
    if len(found) > 1:
        raise InvalidInput(f"more than one session has `{text}`", f"name more values: {_differing(found)}")
    return found[0].id


def _differing(sessions: list[Session]) -> str:
    return "; ".join(variables(session.params, session.repeat) for session in sessions[:2])
