"""Every file in `bad/` has exactly the problems in the text file beside it. `missing.txt` has no sweep file."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.validate import FILE_HINT
from runner.config.checks import check_fits
from runner.config.load import load
from runner.config.shell_checks import check_shell_names
from runner.config.yaml import read
from runner.diagnostics import InvalidSweep, render
from runner.executor.capacity import Capacity
from tests.paths import TESTS

BAD = TESTS / "bad"


def validate(name: str) -> None:
    """Check a file as `runner validate` does."""
    sweep = load(read(name), Path("/in/the/folder"))
    capacity = Capacity(sweep.capacity, sweep.max_parallel)
    problems = [*check_fits(sweep, capacity.fits_ever, FILE_HINT), *check_shell_names(sweep, {"EXPORTED": "1"})]
    if problems:
        raise InvalidSweep(sweep.source, problems)


@pytest.mark.parametrize("name", sorted({path.stem for path in BAD.iterdir()}))
def test_bad(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(InvalidSweep) as caught:
        validate(f"{name}.yaml")
    assert render(caught.value.source, caught.value.problems) + "\n" == Path(f"{name}.txt").read_text(encoding="utf-8")
