from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from runner.backends.backendai.inputs import checkpoints
from runner.backends.backendai.upload import resource_slots
from runner.model import Resources
from tests.fake_backendai import attempt_in


def test_resources_have_the_managers_names() -> None:
    resources: Resources = {"cpu": 2, "mem": 1 << 28, "gpu": Fraction(1, 2), "cuda.device": 1, "license": 3}
    assert resource_slots(resources) == {"cpu": "2", "mem": "268435456", "cuda.shares": "0.5", "cuda.device": "1"}
    assert resource_slots({"gpu": 2}) == {"cuda.device": "2"}
    assert resource_slots({"cuda.shares": Fraction(1, 2)}) == {"cuda.shares": "0.5"}


def test_newest_checkpoints_are_sent_as_far_as_they_fit(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    for age, size in enumerate((1000, 200_000, 200_000)):
        (output / f"c{age}").write_bytes(bytes(size))
        os.utime(output / f"c{age}", (1e9 - age, 1e9 - age))
    attempt = replace(attempt_in(tmp_path, "name-2"), number=2)
    found = checkpoints(attempt)
    assert [file.path for file in found.files] == ['"$output"/c0', '"$output"/c1']
    assert found.omitted == 1
    assert checkpoints(replace(attempt, number=1)).files == []
