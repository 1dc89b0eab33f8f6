"""Every file in `bad/` has exactly the problems that the text beside it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import schema
from runner.diagnostics import InvalidSweep, render
from runner.source import parse, read

BAD = Path(__file__).parent / "bad"


def load(path: Path) -> None:
    source = read(path)
    document, problems = parse(source)
    if document is not None:
        problems += schema.check(document)
    if problems:
        raise InvalidSweep(source, problems)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_bad(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(InvalidSweep) as caught:
        load(Path(path.name))
    assert render(caught.value.source, caught.value.problems) + "\n" == path.with_suffix(".txt").read_text()
