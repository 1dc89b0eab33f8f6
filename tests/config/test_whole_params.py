"""A sweep whose sessions read their variables from RUNNER_PARAMS or RUNNER_PARAMS_FILE uses all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.load import load
from runner.diagnostics import InvalidSweep, Source

RANGES = "ranges: {lr: [0.1, 0.2]}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reads.py").write_text("import os; print(os.environ['RUNNER_PARAMS'])\n")
    (tmp_path / "reads-the-file.sh").write_text('cat "$RUNNER_PARAMS_FILE"\n')
    (tmp_path / "other.py").write_text("print(RUNNER_PARAMSX)\n")
    (tmp_path / "large.py").write_text("#" * 2_000_000 + "RUNNER_PARAMS")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "reads.sh").write_text("echo $RUNNER_PARAMS\n")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "code: import os; print(os.environ['RUNNER_PARAMS'])",
        "exec: cat $RUNNER_PARAMS_FILE",
        "exec: [sh, -c, 'cat $$RUNNER_PARAMS_FILE']",
        "exec: [python3, reads.py]",
        "exec: [sh, ./reads-the-file.sh]",
        "exec: [sh, reads.sh]\nworkdir: below",
        "exec: [show]\nenv: {FILE_VARIABLE: RUNNER_PARAMS_FILE}",
    ],
)
def test_sweep_that_reads_the_params_is_valid(folder: Path, command: str) -> None:
    assert load(Source("sweep.yaml", f"{command}\n{RANGES}"), folder).space.count == 2


@pytest.mark.parametrize("command", ["exec: [python3, other.py]", "exec: [python3, large.py]", "code: print(1)"])
def test_sweep_that_uses_no_variable_is_refused(folder: Path, command: str) -> None:
    with pytest.raises(InvalidSweep) as caught:
        load(Source("sweep.yaml", f"{command}\n{RANGES}"), folder)
    assert [problem.message for problem in caught.value.problems] == ["`lr` is not used"]
