"""The lock: its content, differences from a plan, and small diffs in git."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from runner.errors import InvalidInput
from runner.model import Session
from runner.plan.lockfile import Lock, changed_keys, difference, write
from runner.plan.plan import Plan

PlanText = Callable[[str], Plan]

SWEEP = """\
exec: [train, $lr, $seed]
env: {CASE: $seed}
ranges: {lr: [0.1, 1e-3], seed: [1, 2]}
"""


def no_durations(sessions: Iterable[Session]) -> Iterator[tuple[Session, float | None]]:
    return ((session, None) for session in sessions)


def durations(seconds: float) -> Callable[[Iterable[Session]], Iterator[tuple[Session, float | None]]]:
    return lambda sessions: ((session, seconds) for session in sessions)


@pytest.fixture
def lock(tmp_path: Path, plan_text: PlanText) -> Lock:
    write(tmp_path / "s.lock.json", plan_text(SWEEP), no_durations)
    return Lock(tmp_path / "s.lock.json")


def test_lock_is_json_with_a_line_for_each_session(lock: Lock) -> None:
    document = json.loads(lock.path.read_text())
    assert (document["count"], len(document["sessions"])) == (4, 4)
    assert document["sessions"] == list(lock.entries())
    assert document["sessions"][2] == {
        "point": document["sessions"][2]["point"],
        "params": {"lr": 0.001, "seed": 1},
        "exec": ["train", "1e-3", "1"],
        "env": {"CASE": "1"},
    }
    assert len(lock.path.read_text().splitlines()) == 4 + 6


def test_sessions_added_at_the_end_change_no_other_line(lock: Lock, plan_text: PlanText) -> None:
    before = lock.path.read_text().splitlines()
    write(lock.path, plan_text(SWEEP.replace("1e-3]", "1e-3, 7]")), no_durations)
    delta = [line for line in difflib.ndiff(before, lock.path.read_text().splitlines()) if line[0] in "+-"]
    assert [line for line in delta if "count" not in line] == [line for line in delta[2:] if line.startswith("+ ,{")]
    assert len(delta) == 2 + 2


@pytest.mark.parametrize(
    ("edit", "added", "removed", "changed"),
    [
        (("[1, 2]", "[1, 2, 3]"), 2, 0, 0),
        (("[1, 2]", "[3, 1, 2]"), 2, 0, 0),
        (("[1, 2]", "[2]"), 0, 2, 0),
        (("[1, 2]", "[2, 1]"), 0, 0, 0),  # the order is ignored
        (("[1, 2]", '["1", 2]'), 2, 2, 0),  # another value, though it renders alike
        (("train", "test"), 0, 0, 4),
        (("CASE: $seed", "CASE: $lr"), 0, 0, 4),
        (("CASE: $seed", "CASE: $seed, Z: z"), 0, 0, 4),
        (("\nranges", "\nimage: i:$seed\nranges"), 0, 0, 4),
        (("\nranges", "\nworkdir: /tmp\nranges"), 0, 0, 4),
        (("\nranges", "\nrepeat: 3\nranges"), 8, 0, 0),
        (("\nranges", "\ntimeout: 3\nresources: {cpu: 2}\nretry: {limit: 1}\nranges"), 0, 0, 0),
        (("[1, 2]", "[3, 1]"), 2, 2, 0),
    ],
)
def test_difference_counts_added_removed_and_changed(
    lock: Lock, plan_text: PlanText, edit: tuple[str, str], added: int, removed: int, changed: int
) -> None:
    found = difference(lock, plan_text(SWEEP.replace(*edit)))
    assert (len(found.added), len(found.removed), len(found.changed)) == (added, removed, changed)
    assert bool(found) == bool(added + removed + changed)


def test_difference_ignores_the_content_of_files(tmp_path: Path, plan_text: PlanText) -> None:
    """An edit of the program changes every id, and nothing in the lock."""
    text = SWEEP + "files: [train.py]\nbuild: make $seed\n"
    (tmp_path / "train.py").write_text("one")
    first = plan_text(text)
    write(tmp_path / "s.lock.json", first, no_durations)
    (tmp_path / "train.py").write_text("two")
    second = plan_text(text)
    assert [one.id for one in first] != [one.id for one in second]
    assert not difference(Lock(tmp_path / "s.lock.json"), second)
    assert len(difference(Lock(tmp_path / "s.lock.json"), plan_text(text.replace("make", "cmake"))).changed) == 4


def test_changed_code_is_reported_once(tmp_path: Path, plan_text: PlanText) -> None:
    text = "code: print(1)\nenv: {X: $x}\nranges: {x: [1, 2]}\n"
    write(tmp_path / "s.lock.json", plan_text(text), no_durations)
    lock = Lock(tmp_path / "s.lock.json")
    assert not difference(lock, plan_text(text))
    assert difference(lock, plan_text(text.replace("print(1)", "print(2)"))).shared == ["code"]


def test_changed_keys_of_an_entry(lock: Lock, plan_text: PlanText) -> None:
    found = difference(lock, plan_text(SWEEP.replace("train", "test").replace("CASE", "NO")))
    assert [changed_keys(*pair) for pair in found.changed] == [["exec", "env"]] * 4


def test_small_changes_of_a_duration_are_ignored(tmp_path: Path, plan_text: PlanText) -> None:
    path, plan = tmp_path / "s.lock.json", plan_text(SWEEP)

    def known() -> set[float]:
        return {seconds for _, seconds in Lock(path).durations()}

    write(path, plan, durations(10.123))
    assert known() == {10}
    text = path.read_text()
    write(path, plan, durations(12.4))
    assert path.read_text() == text
    write(path, plan, no_durations)  # somebody who has run nothing
    assert path.read_text() == text
    write(path, plan, durations(12.6))
    assert known() == {13}
    assert not difference(Lock(path), plan)


def test_hostile_texts_survive_the_round_trip(tmp_path: Path, plan_text: PlanText) -> None:
    plan = plan_text(
        'exec: [echo, $x]\nranges: {x: ["ü\\n\\u2028", "\\"sessions\\": [", "]}", ",{", "", true, null, "a\\x7f"]}\n'
    )
    write(tmp_path / "s.lock.json", plan, no_durations)
    assert [one["params"]["x"] for one in Lock(tmp_path / "s.lock.json").entries()] == [
        *("ü\n\u2028", '"sessions": [', "]}", ",{", "", True, None, "a\x7f")
    ]
    assert not difference(Lock(tmp_path / "s.lock.json"), plan)


HEAD = '{\n"version": 1,\n"sweep": "s",\n"count": 1,\n"sessions": [\n'
LINE = '{"point": "00", "params": {}}\n'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", "no json", '{\n"version": 2,\n"count": 0,\n"sessions": [\n]}\n'),
        HEAD + '{"point": 3}\n]}\n',
        HEAD + "[]\n]}\n",
        HEAD + LINE,
        HEAD + "]}\n",
        HEAD + LINE + "," + LINE + "]}\n",
        HEAD + "<<<<<<< HEAD\n" + LINE + "=======\n" + LINE + ">>>>>>> other\n]}\n",
    ],
)
def test_malformed_lock_is_refused(tmp_path: Path, plan_text: PlanText, text: str) -> None:
    """Also a truncated lock, and one with merge conflicts: its sessions would count as added or removed."""
    (tmp_path / "s.lock.json").write_text(text)
    with pytest.raises(InvalidInput, match="is not a lock"):
        difference(Lock(tmp_path / "s.lock.json"), plan_text(SWEEP))


def test_interrupted_write_keeps_the_old_lock(lock: Lock, plan_text: PlanText) -> None:
    text = lock.path.read_text()

    def interrupted(sessions: Iterable[Session]) -> Iterator[tuple[Session, float | None]]:
        yield next(iter(sessions)), None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(lock.path, plan_text(SWEEP.replace("train", "test")), interrupted)
    assert lock.path.read_text() == text
    assert [path.name for path in lock.path.parent.iterdir() if "lock" in path.name] == ["s.lock.json"]
