"""The output of `squeue` and `sacct`, as recorded from Slurm 22.05."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runner.backends.slurm import squeue
from runner.backends.slurm.cli import Controller
from runner.backends.slurm.squeue import OTHERS, TaskRow
from tests.fake_slurm import fake_commands


def test_rows_are_read(tmp_path: Path) -> None:
    """A pending task, a failed one, and an array of which only one row is left."""
    output = {
        "squeue": (
            "12  |0  |FAILED  |35072  |1795632111  |n1  |NonZeroExitCode  |tag  \n"
            "12  |1  |PENDING  |0  |N/A  |  |Priority  |tag  \n"
            "13  |N/A  |CANCELLED  |0  |1795632111  |  |None  |other  \n"
        ),
        "sacct": "12_0|FAILED|9:0|n1|1795632111\n12_1|CANCELLED by 0|0:0|None assigned|1795632111\n"
        "14_[0-2,5%4]|CANCELLED by 0|0:0|None assigned|Unknown\n",
    }
    controller = Controller(
        fake_commands(tmp_path, **{name: f"cat <<'EOF'\n{text}EOF" for name, text in output.items()})
    )

    async def main() -> None:
        queued = await squeue.queued(controller, ["tag", "other"])
        assert queued["tag"]["12", 0] == TaskRow("FAILED", 137, 0, 1795632111.0, "n1", "NonZeroExitCode")
        assert queued["tag"]["12", 1].waits_for == "for resources"
        assert queued["other"]["13", OTHERS].began is None
        accounted = await squeue.accounted(controller, ["12"])
        assert (accounted["12", 0].code, accounted["12", 0].reason) == (None, "exit code 9 or 137")
        assert (accounted["12", 1].state, accounted["12", 1].began) == ("CANCELLED", None)
        assert accounted["14", OTHERS].state == "CANCELLED"

    trio.run(main)


@pytest.mark.parametrize("state", ["SOMETHING_NEW", "REQUEUED", "COMPLETING", "SUSPENDED"])
def test_unknown_states_count_as_alive(state: str) -> None:
    assert not replace(TaskRow("", 0, 0, 1.0, "n1", "None"), state=state).final
