"""Failures of Slurm's commands: refused, over a limit, or not answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from runner.backends.slurm.cli import (
    CONTROLLER_AWAY,
    LONGEST_FIRST_OUTAGE,
    CommandRefused,
    Controller,
    Outage,
    SubmitLimitReached,
    Unconfigured,
    Unreachable,
    call,
)
from runner.errors import EnvironmentFailed
from tests.fake_slurm import fake_commands


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("sbatch: error: Batch job submission failed: Invalid account", CommandRefused),
        ("sbatch: error: AssocMaxSubmitJobLimit", SubmitLimitReached),
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", Unreachable),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", Unreachable),
        ("sbatch: fatal: Could not establish a configuration source", Unconfigured),
    ],
)
def test_failure_is_classified_by_its_words(tmp_path: Path, words: str, error: type[Exception]) -> None:
    environ = fake_commands(tmp_path, sbatch=f"echo '{words}' >&2; exit 1")

    async def main() -> None:
        with pytest.raises(error) as raised:
            await call(environ, "sbatch")
        assert raised.type is error

    trio.run(main)


def test_refusal_keeps_only_slurms_own_words(tmp_path: Path) -> None:
    words = "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified."
    environ = fake_commands(tmp_path, sbatch=f"echo '{words}' >&2; exit 1")

    async def main() -> None:
        with pytest.raises(CommandRefused, match=r"^Invalid account or account/partition combination specified$"):
            await call(environ, "sbatch")

    trio.run(main)


def test_command_that_is_not_installed(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(EnvironmentFailed, match="`sbatch` is not installed on this machine"):
            await call({"PATH": str(tmp_path)}, "sbatch")

    trio.run(main)


def test_command_without_an_answer_is_unreachable(tmp_path: Path) -> None:
    environ = fake_commands(tmp_path, squeue="exec sleep 1000")

    async def main() -> None:
        with pytest.raises(Unreachable, match=r"no answer within 0\.1 s"):
            await call(environ, "squeue", seconds=0.1)

    trio.run(main)


def test_request_is_repeated_until_answered(tmp_path: Path) -> None:
    script = (
        'mkdir "$0.once" 2>/dev/null || { echo fine; exit; }; echo "Unable to contact slurm controller" >&2; exit 1'
    )
    controller = Controller(fake_commands(tmp_path, scontrol=script))
    waiting: list[str] = []

    async def main() -> str:
        return await controller.insist("scontrol", on_waiting=waiting.append)

    assert trio.run(main) == "fine\n"
    assert waiting == [CONTROLLER_AWAY]
    assert (controller.answered, controller.away) == (True, False)


@pytest.mark.parametrize("answered", [False, True])
def test_outage_ends_with_an_error_sooner_if_never_answered(answered: bool) -> None:
    async def main() -> float:
        controller = Controller({})
        controller.answered = answered
        outage = Outage(controller)
        begin = trio.current_time()

        async def repeat() -> None:
            while True:
                await outage.wait(Unreachable("no route"))

        with pytest.raises(EnvironmentFailed, match="cannot be reached: no route"):
            await repeat()
        assert controller.away
        return trio.current_time() - begin

    seconds = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert (seconds < LONGEST_FIRST_OUTAGE + 60) is not answered


def test_missing_configuration_after_an_answer_is_an_outage() -> None:
    async def main() -> None:
        controller = Controller({})
        controller.answered = True
        await Outage(controller).wait(Unconfigured("no configuration"))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
