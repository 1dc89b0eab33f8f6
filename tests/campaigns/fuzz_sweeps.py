"""Mutated sweep files through `validate` and `plan`: `python -m tests.campaigns.fuzz_sweeps [--count N] [--seed N]`.

Each must be accepted (exit 0) or refused (exit 2), within SECONDS. A bug (exit 70), another exit code, an exception or a
hang is printed with the file that caused it. The files are those of `sweeps/`, `tests/good/` and `tests/bad/`, mutated; one
number (seed) decides all of them.
"""

from __future__ import annotations

import argparse
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
from tests.campaigns.mutations import mutated
from tests.paths import ROOT, TESTS

MOST_PLANNED = 2000
"""A plan with more sessions is only counted."""

EXPECTED = (0, 2)


@dataclass
class Found:
    """What came of the files."""

    codes: Counter[str] = field(default_factory=Counter)
    """How many commands ended with each exit code."""
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    """The command, what it did, and the file, for each one that did anything else than accept or refuse."""


def originals() -> list[list[str]]:
    """Return the texts of the sweep files of this repository by folder, in a fixed order."""
    return [
        [
            path.read_bytes().decode("utf-8", "surrogateescape")
            for path in sorted(folder.glob("*.yaml"))
            if path.is_file()
        ]
        for folder in (ROOT / "sweeps", TESTS / "good", TESTS / "bad")
    ]


def campaign(count: int, seed: int, first: int = 0) -> Found:
    """Run the mutations `first` to `first + count` of a seed."""
    found, folders = Found(), originals()
    every = [text for texts in folders for text in texts]
    with tempfile.TemporaryDirectory(prefix="fuzz-sweeps-") as folder:
        shutil.copytree(ROOT / "sweeps", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".runner"))
        before = os.getcwd()
        os.chdir(folder)
        try:
            for number in range(first, first + count):
                chance = random.Random(f"{seed}:{number}")
                text = mutated(chance.choice(chance.choice(folders)), every, chance)
                Path("mutated.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
                _examine(text, found)
        finally:
            os.chdir(before)
    return found


def _examine(text: str, found: Found) -> None:
    code, _ = _run(["validate", "mutated.yaml"], text, found)
    _run(["validate", "mutated.yaml", "--format", "json"], text, found)
    counted, shown = _run(["plan", "mutated.yaml", "--count"], text, found)
    if code == 0 and counted == 0 and int(shown or 0) <= MOST_PLANNED:
        _run(["plan", "mutated.yaml", "--format", "json"], text, found)
        _run(["plan", "mutated.yaml"], text, found)


def _run(arguments: list[str], text: str, found: Found) -> tuple[int | None, str]:
    """Run a command in this process; return its exit code and what it wrote to stdout."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code: int | None = None
        try:
            with redirected(out.fileno(), err.fileno()), limited():
                code = run(arguments)
            what = f"exit {code}"
        except Hang:
            what = "hang"
        except BaseException as error:
            what = f"{type(error).__name__}: {error}"
        out.seek(0)
        err.seek(0)
        said = err.read().decode("utf-8", "replace")
        found.codes[what if code is not None else what.partition(":")[0]] += 1
        if code not in EXPECTED or "Traceback" in said:
            found.faults.append((" ".join(arguments), f"{what}\n{said}", text))
        return code, out.read().decode("utf-8", "replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3000, help="the number of mutated files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first one, to repeat it")
    given = parser.parse_args()
    found = campaign(given.count, given.seed, given.first)
    for arguments, what, text in found.faults:
        print(f"--- runner {arguments}: {what}\n{text}\n", file=sys.stderr)
    print(f"{given.count:,} files, {found.codes.total():,} commands: {dict(sorted(found.codes.items()))}")
    print(f"{len(found.faults)} faults")
    return bool(found.faults)


if __name__ == "__main__":
    sys.exit(main())
