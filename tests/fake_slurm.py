"""Slurm without a cluster: attempts, and scripts in place of its commands."""

from __future__ import annotations

import os
from pathlib import Path

from runner.model import Attempt


def make_attempt(session: str, folder: Path, command: str | tuple[str, ...] = "true", **env: str) -> Attempt:
    """The first attempt at a session; its files are in `folder`."""
    return Attempt(
        name=f"0123456789ab-{session}-1",
        session=session,
        number=1,
        command=command,
        env=env,
        secrets={},
        workdir=str(folder),
        stdout=str(folder / f"{session}.out"),
        stderr=str(folder / f"{session}.err"),
        output=str(folder),
        resources={},
        image=None,
        timeout=None,
        grace=5.0,
    )


def fake_commands(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment in which Slurm's commands are these scripts of sh. By default they accept everything and list nothing."""
    commands = {"sbatch": "echo 7", "squeue": "exit 0", "sacct": "exit 0", "scontrol": "exit 0"} | scripts
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}
