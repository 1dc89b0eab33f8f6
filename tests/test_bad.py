"""Every file in `bad/` has exactly the problems that the text beside it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.diagnostics import InvalidSweep, render
from runner.loading import load
from runner.source import read

BAD = Path(__file__).parent / "bad"


@pytest.mark.parametrize("name", sorted(path.stem for path in BAD.glob("*.txt")))
def test_bad(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(InvalidSweep) as caught:
        load(read(f"{name}.yaml"), Path())
    assert render(caught.value.source, caught.value.problems) + "\n" == Path(f"{name}.txt").read_text(encoding="utf-8")
