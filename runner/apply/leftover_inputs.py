"""Whether an attempt that a dead runner left read the inputs of its id, if no apply follows it to its end.

Its recipe in the journal has their digests. What it read while no runner looked is known in three cases: it ran in a private
copy, the content is the same and was last changed before it began, or it is another now.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.apply.input_check import stale
from runner.backends import UPLOADS
from runner.config import snapshots
from runner.config.inputs import Change, Inputs
from runner.config.load import load
from runner.diagnostics import Source
from runner.errors import InvalidInput
from runner.executor.completion import JUDGED
from runner.model import AttemptEnd
from runner.plan.plan import Plan
from runner.state import State
from runner.state.rows import OpenAttempt


class LeftoverInputs:
    """plan: of the sweep file as it is now."""

    def __init__(self, plan: Plan, state: State) -> None:
        self._plan = plan
        self._state = state

    def verified(self, left: OpenAttempt, end: AttemptEnd, began: float | None) -> AttemptEnd:
        """The end as it counts: `stale` if the attempt may have read other inputs. `began`: Unix time, as far as known."""
        apply = self._state.journal.apply_of(left.session, left.number)
        if end.outcome not in JUDGED or left.backend in UPLOADS or apply is None:
            return end
        parts = apply.recipe.parts
        files: Mapping[str, str] = parts.get("files", {})
        if not files or "build" in parts:
            return end
        inputs = self._plan.inputs
        if self._ran_in_snapshot(apply.sweep, apply.text, left.backend, files):
            root = self._state.snapshots.path_of(files)
            inputs = Inputs.of_copy(root, files, verified=False)
        elif inputs is None or files != inputs.digests:
            now: Mapping[str, str] = inputs.digests if inputs else {}
            path = min(path for path in {**files, **now} if files.get(path) != now.get(path))
            return stale(end, Change(path, "may have changed"))
        inputs.check()
        change = inputs.verdict(None, began)
        return end if change is None else stale(end, change)

    def _ran_in_snapshot(self, name: str, text: str, backend: str, files: Mapping[str, str]) -> bool:
        try:
            sweep = load(Source(f"{name}.yaml", text), self._plan.sweep.folder)
        except InvalidInput:
            return False
        return snapshots.wanted(sweep, backend, uploads=False) and self._state.snapshots.path_of(files).is_dir()
