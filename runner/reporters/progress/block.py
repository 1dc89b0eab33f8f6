"""The block at the bottom of a terminal, as a pure function of the tracker, the time and the terminal's size."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from runner.model import Outcome
from runner.reporters.progress.tracker import RunningAttempt, Tracker
from runner.reporters.progress.wording import (
    activity,
    counts,
    describe,
    eta,
    in_use,
    pace,
    retries_due,
    whole_seconds,
)
from runner.text.escape import printable

MOST_REASONS = 5
"""Reasons to wait that are listed."""

LEAST_RUNNING = 5
"""Running sessions that are listed on a terminal of any height; a tall one lists more, with half of its lines for the block."""

LISTED_SECONDS = 1.0
"""How long a session runs before it is listed: shorter ones would flicker."""

SHORTEST_BAR = 10
"""Cells; without room for them there is no bar."""

GAP = "  "


def render(tracker: Tracker, now: float, width: int, height: int = 24, encoding: str = "utf-8") -> list[Text]:
    """The lines of the block for a terminal of `width` cells and `height` lines, which keep one line free.

    No line is wider than `width`; every character exists in `encoding`. Empty before the apply has started.
    """
    if tracker.began is None:
        return []
    timing = [whole_seconds(tracker.elapsed(now)), pace(tracker, now)]
    head = [_bar(tracker, now, width, encoding)]
    head += _flow([*map(_coloured, counts(tracker)), *activity(tracker), *filter(None, timing)], width)
    head += [Text(line.plain, "dim") for line in _flow(in_use(tracker), width)]
    tail = [Text(line, "yellow") for line in _wrapped(retries_due(tracker, now), width)]
    for reason, count in tracker.waiting.most_common(MOST_REASONS):
        tail.append(Text(f"  {count:,} waiting: {reason}", "yellow"))
    tail += [Text(line, "yellow") for line in _wrapped(tracker.contention and f"waiting: {tracker.contention}", width)]
    running = _running(tracker, now, max(LEAST_RUNNING, height // 2 - len(head) - len(tail)))
    return [fit(line, width, encoding) for line in (head + running + tail)[: max(0, height - 1)]]


def _wrapped(text: str | None, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, SHORTEST_BAR), initial_indent="  ", subsequent_indent="  ") if text else []


def fit(line: Text, width: int, encoding: str) -> Text:
    """The line without control characters, cut to `width` cells, as `encoding` can write it."""
    plain = writable(line.plain, encoding)
    if cell_len(plain) > width:
        end = "…" if encodable("…", encoding) else "..."[:width]
        plain = set_cell_size(plain, max(0, width - cell_len(end))) + end
    if plain == line.plain:
        return line
    cut = Text(plain, line.style)
    for start, end_, style in line.spans:  # exact up to the first character that was replaced
        cut.stylize(style, min(start, len(plain)), min(end_, len(plain)))
    return cut


def writable(text: str, encoding: str) -> str:
    """The text without control characters, with escapes for characters that `encoding` lacks."""
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _bar(tracker: Tracker, now: float, width: int, encoding: str) -> Text:
    """Name, bar, counts and ETA over the whole width; a narrow terminal lacks the name, then the bar."""
    share = tracker.done / tracker.to_run if tracker.to_run else 1.0
    progress = [f"{tracker.done:,}/{tracker.to_run:,}", f"{math.floor(share * 100)}%"]
    right = GAP.join([*progress, *filter(None, [eta(tracker, now)])])
    name = writable(tracker.name, encoding)
    room = width - cell_len(right) - len(GAP)
    left = name + GAP if room - cell_len(name + GAP) >= SHORTEST_BAR else ""
    cells = room - cell_len(left)
    if cells < SHORTEST_BAR:
        return Text(right)
    full, empty = "━─" if encodable("━─", encoding) else "#-"
    done = math.floor(cells * share)
    bad = min(done, math.ceil(done * tracker.unsuccessful / tracker.done)) if tracker.done else 0
    return Text.assemble(
        (left, "bold"),
        (full * (done - bad), "green"),
        (full * bad, "red"),
        (empty * (cells - done), "dim"),
        GAP + right,
    )


def _coloured(count: str) -> Text:
    word = count.partition(" ")[2]
    styles = {"": "", Outcome.SUCCEEDED.value: "green", Outcome.CANCELLED.value: "yellow"}
    return Text(count, styles.get(word, "red" if word in set(Outcome) else "yellow"))


def _flow(parts: Iterable[str | Text], width: int) -> list[Text]:
    """The parts in as few lines as possible."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(GAP) + cell_len(str(part)) <= width:
            lines[-1].append(GAP).append(part)
        else:
            lines.append(Text().append(part))
    return lines


def _running(tracker: Tracker, now: float, most: int) -> list[Text]:
    """At most `most` running sessions, the longest first, and how many more there are."""
    started = sum(one.started is not None for one in tracker.running.values())
    listed = [one for one in tracker.longest(most) if now - (one.started or now) >= LISTED_SECONDS]
    lines = [_running_line(one, now) for one in listed]
    if listed and started > len(listed):
        lines.append(Text(f"  and {started - len(listed):,} more", "dim"))
    return lines


def _running_line(running: RunningAttempt, now: float) -> Text:
    took = whole_seconds(now - (running.started or now))
    retry = f" (attempt {running.attempt})" if running.attempt > 1 else ""
    return Text.assemble((f"{took:>9}", "cyan"), GAP, describe(running.session) + retry)
