"""The block at the bottom of a terminal, as a pure function of a tally, the time and the width."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from runner.model import Outcome
from runner.reporters.progress.tracker import Running, Tally
from runner.reporters.progress.wording import activity, coming, counts, in_use, named, pace, tried_again, whole

MOST_LISTED = 5
"""Running sessions, and reasons to wait, that are named."""

WORTH_SECONDS = 1.0
"""How long a session runs before it is named: short ones would only flicker."""

SHORTEST_BAR, LONGEST_BAR = 10, 60
GAP = "  "


def render(tally: Tally, now: float, width: int, encoding: str = "utf-8") -> list[Text]:
    """The block's lines, none wider than `width` cells, and of characters that `encoding` has. Nothing before an apply began."""
    if tally.began is None:
        return []
    lines = [_bar(tally, now, width, encoding)]
    timing = [whole(tally.elapsed(now)), pace(tally, now)]
    lines += _flow([*map(_coloured, counts(tally)), *activity(tally), *filter(None, timing)], width)
    lines += [Text(line.plain, "dim") for line in _flow(in_use(tally), width)]
    listed = [one for one in tally.longest(MOST_LISTED) if now - (one.started or now) >= WORTH_SECONDS]
    lines += [_running(one, now) for one in listed]
    more = sum(1 for one in tally.running.values() if one.started is not None) - len(listed)
    if listed and more:
        lines.append(Text(f"  and {more:,} more", "dim"))
    if again := tried_again(tally, now):
        wrapped = textwrap.wrap(again, max(width, SHORTEST_BAR), initial_indent="  ", subsequent_indent="  ")
        lines += [Text(line, "yellow") for line in wrapped]
    for reason, count in tally.waiting.most_common(MOST_LISTED):
        lines.append(Text(f"  {count:,} waiting: {reason}", "yellow"))
    return [fitted(line, width, encoding) for line in lines]


def fitted(line: Text, width: int, encoding: str) -> Text:
    """The line with nothing in it that the terminal could take for more than letters, cut to `width` cells."""
    plain = safe(line.plain, encoding)
    if cell_len(plain) > width:
        end = "…" if encodable("…", encoding) else "..."[:width]
        plain = set_cell_size(plain, max(0, width - cell_len(end))) + end
    if plain == line.plain:
        return line
    cut = Text(plain, line.style)
    for start, end_, style in line.spans:  # what comes before the first change keeps its colour
        cut.stylize(style, min(start, len(plain)), min(end_, len(plain)))
    return cut


def safe(text: str, encoding: str) -> str:
    shown = "".join(char if char.isprintable() else "�" for char in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _bar(tally: Tally, now: float, width: int, encoding: str) -> Text:
    share = tally.done / tally.to_run if tally.to_run else 1.0
    far = [f"{tally.done:,}/{tally.to_run:,}", f"{math.floor(share * 100)}%"]
    right = GAP.join([*far, *filter(None, [coming(tally, now)])])
    name = safe(tally.name, encoding)
    room = width - cell_len(right) - len(GAP)
    left = name + GAP if room - cell_len(name + GAP) >= SHORTEST_BAR else ""
    cells = min(LONGEST_BAR, room - cell_len(left))
    if cells < SHORTEST_BAR:
        return Text(right)
    full, empty = "━─" if encodable("━─", encoding) else "#-"
    done = math.floor(cells * share)
    bad = min(done, math.ceil(done * tally.bad / tally.done)) if tally.done else 0
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
    """The parts in as few lines as hold them."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(GAP) + cell_len(str(part)) <= width:
            lines[-1].append(GAP).append(part)
        else:
            lines.append(Text().append(part))
    return lines


def _running(running: Running, now: float) -> Text:
    took = whole(now - (running.started or now))
    again = f" (attempt {running.attempt})" if running.attempt > 1 else ""
    return Text.assemble((f"{took:>9}", "cyan"), GAP, named(running.session) + again)
