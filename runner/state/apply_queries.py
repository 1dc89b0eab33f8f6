"""The read queries about applies and builds."""

from __future__ import annotations

from collections.abc import Iterator

from runner.model import Outcome
from runner.state.reader import Reader
from runner.state.rows import APPLY_COLUMNS, MACHINE_COLUMNS, ApplyRow, OpenBuild, apply_row, machine


class ApplyQueries(Reader):
    """What the journal knows of applies and builds. What came last is decided by their numbers, never by times."""

    def retrying(self) -> int | None:
        """The number of the last apply if it may still retry sessions; None if it was stopped or has ended."""
        found = self._one("SELECT n, ended, stopped, interrupted FROM applies ORDER BY n DESC LIMIT 1")
        return found[0] if found and found[1:] == (None, None, None) else None

    def retries(self, apply: int) -> tuple[int, float]:
        """The number of attempts of an apply that are followed by a retry, done or due, and the seconds that they ran."""
        found = self._one(
            "SELECT count(*), total(duration) FROM attempts WHERE apply = ? AND retry_at IS NOT NULL", apply
        )
        return found or (0, 0.0)

    def open_builds(self) -> list[OpenBuild]:
        rows = self._each(
            f"SELECT b.build, b.name, b.backend, {MACHINE_COLUMNS} FROM builds b LEFT JOIN applies p ON p.n = b.apply"
            " WHERE b.outcome IS NULL"
        )
        return [OpenBuild(*(*row[:3], machine(row[3:]))) for row in rows]

    def applied_only(self, recipe: str, text: str) -> bool:
        """True if every apply with the recipe of this digest was of a sweep file with exactly this text.

        A session is only recorded by an apply of its recipe. So the plan of that file then has every session of the recipe.
        """
        other = "SELECT 1 FROM applies a JOIN recipes r ON r.n = a.recipe WHERE r.digest = ? AND a.text != ? LIMIT 1"
        return self._one(other, recipe, text) is None

    def applies(self) -> Iterator[ApplyRow]:
        """All applies, the last recorded one first. Those of a merged state count as recorded when it was merged."""
        order = "ORDER BY a.n DESC"  # not by time: the clock may have been set
        rows = self._each(f"SELECT {APPLY_COLUMNS} FROM applies a JOIN recipes r ON r.n = a.recipe {order}")
        return map(apply_row, rows)

    def last_apply(self) -> ApplyRow | None:
        return next(self.applies(), None)

    def last_applies(self) -> list[ApplyRow]:
        """The last apply that had sessions to run, or the last one if none had. After a merge: that of each merged state, the
        most recent first.
        """
        joined = {apply for (apply,) in self._each("SELECT apply FROM joined")}
        every = list(self.applies())
        applies = [apply for apply in every if apply.to_run or apply.ended is None] or every
        return [apply for apply in applies if apply.number in joined] if len(joined) > 1 else applies[:1]

    def files(self) -> list[str]:
        """The sweep files that were applied, relative to the folder of the state."""
        return [file for (file,) in self._each("SELECT DISTINCT file FROM applies WHERE file IS NOT NULL")]

    def build_succeeded(self, build: str) -> bool:
        """True if the last attempt of this build succeeded."""
        found = self._one("SELECT outcome FROM builds WHERE build = ? ORDER BY apply DESC LIMIT 1", build)
        return found is not None and found[0] == Outcome.SUCCEEDED.value

    def apply_of(self, session: str, attempt: int) -> ApplyRow | None:
        """The apply that an attempt belongs to."""
        found = self._one(
            f"SELECT {APPLY_COLUMNS} FROM sessions s JOIN attempts t ON t.session = s.n AND t.number = ?"
            " JOIN applies a ON a.n = t.apply JOIN recipes r ON r.n = s.recipe WHERE s.id = ?",
            attempt,
            bytes.fromhex(session),
        )
        return apply_row(found) if found else None
