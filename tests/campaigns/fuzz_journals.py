"""Journals with one flipped bit through every command: `python -m tests.campaigns.fuzz_journals [--count N] [--seed N]`.

Each command must work (exit 0 or 1) or say that the journal is damaged (exit 3); a bug (exit 70) or a hang is a fault. It is
counted how often `results` shows something else than it should without a word, and what `doctor --state` saves.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from runner.cli.main import run
from tests.campaigns.in_process import Hang, limited, redirected

SWEEP = """
exec: 'echo v=0.5; test $x != 3'
build: 'cp in.txt built'
files: [in.txt]
ranges: {x: "range:12"}
retry: {limit: 1, backoff: 0s, on: [failed]}
metrics: {v: {regex: "v=(.*)"}}
"""

JOURNAL = Path(".runner/sweep/journal.db")

RESULTS = ["results", "--format", "json"]

COMMANDS = (
    RESULTS,
    ["results", "--group-by", "x"],
    ["status"],
    ["status", "--format", "json"],
    ["plan", "--all"],
    ["logs", "x=3"],
    ["report", "--output", "report.html"],
    ["prune"],
    ["apply"],
)

EXPECTED = (0, 1, 3)


@dataclass
class Found:
    """What came of the flipped journals.

    codes: how many commands ended with each exit code. faults: the flip, the command and what it said, for all others.
    silent: flips that changed `results` without a word. saved: how many of the 12 sessions the doctor saved, by number.
    """

    codes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    saved: Counter[int] = field(default_factory=Counter)


def campaign(count: int, seed: int) -> Found:
    found = Found()
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="fuzz-journals-") as folder:
        os.chdir(folder)
        try:
            Path("sweep.yaml").write_text(SWEEP)
            Path("in.txt").write_text("input")
            _call(["apply"])
            shutil.copytree(".runner", "sound")
            _, sound = _call(RESULTS)
            chance = random.Random(seed)
            for _ in range(count):
                shutil.rmtree(".runner")
                shutil.copytree("sound", ".runner")
                _examine(chance, sound, found)
        finally:
            os.chdir(before)
    return found


def _examine(chance: random.Random, sound: str, found: Found) -> None:
    content = bytearray(JOURNAL.read_bytes())
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    content[place] ^= 1 << bit
    for command in COMMANDS:
        JOURNAL.write_bytes(content)
        code, text = _call(command)
        _note(found, f"bit {bit} of byte {place}: {' '.join(command)}", code, text)
        if command is RESULTS and code == "exit 0" and _rows(text) != _rows(sound):
            found.silent.append(f"bit {bit} of byte {place}")
        for suffix in ("-wal", "-shm"):
            Path(f"{JOURNAL}{suffix}").unlink(missing_ok=True)
    JOURNAL.write_bytes(content)
    _note(found, f"bit {bit} of byte {place}: doctor", *_call(["doctor", "--state"]))
    code, text = _call(RESULTS)
    _note(found, f"bit {bit} of byte {place}: results after the doctor", code, text)
    if code == "exit 0":
        found.saved[sum(row["status"] != "new" for row in json.loads(text))] += 1


def _rows(text: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(text)
    return rows


def _note(found: Found, place: str, code: str, text: str) -> None:
    found.codes[code] += 1
    if code not in [f"exit {number}" for number in EXPECTED]:
        found.faults.append(f"{place}: {code}\n{text}")


def _call(arguments: list[str]) -> tuple[str, str]:
    """How a command ended, and what it wrote to stdout, or to stderr if it failed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            with redirected(out.fileno(), err.fileno()), limited():
                code = f"exit {run(arguments)}"
        except Hang:
            code = "hang"
        shown = out if code == "exit 0" else err
        shown.seek(0)
        return code, shown.read().decode("utf-8", "replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600, help="the number of flipped journals")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = campaign(given.count, given.seed)
    print(*found.faults, *found.silent, sep="\n", file=sys.stderr)
    print(f"{given.count:,} journals, {found.codes.total():,} commands: {dict(sorted(found.codes.items()))}")
    print(f"{len(found.silent)} changed results without a word; sessions saved: {dict(sorted(found.saved.items()))}")
    print(f"{len(found.faults)} faults")
    return bool(found.faults)


if __name__ == "__main__":
    sys.exit(main())
