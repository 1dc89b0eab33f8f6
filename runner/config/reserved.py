"""Names of columns of the results: a metric of such a name is shown as `metrics.NAME`."""

from __future__ import annotations

MEASURED = ("duration", "cpu_time", "max_rss")
"""The metrics that every session has: wall time, CPU time, peak memory."""

FULL = (
    *("status", "exit_code", "reason", "attempts", "backend", "job", "host", "started", "duration"),
    *("cpu_time", "max_rss", "output", "stdout", "stderr"),
)

TAKEN = ("index", "id", "repeat", *FULL)
"""Names of columns that every sweep has."""
