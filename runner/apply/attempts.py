"""From a session to an attempt: the command, the environment and the places a backend needs, and nothing of policy."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping

from runner.config.sweep import Sweep
from runner.model import Attempt, Session
from runner.state import State

LONGEST_PARAMS = 128 * 1024
"""Bytes; above it RUNNER_PARAMS is left out, because one `NAME=value` string may not be longer. The file is always there."""

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What numerical libraries ask how many threads to start; without it each session would take the whole machine."""

_encode = json.JSONEncoder(ensure_ascii=False).encode

DEVICE_LISTS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")


def make_attempt(
    sweep: Sweep,
    state: State,
    session: Session,
    number: int,
    devices: tuple[str, ...],
    start_when_below: int | None,
    *,
    secrets: Mapping[str, str],
    surroundings: Mapping[str, str],
    root: str,
    files: tuple[str, ...] | None,
) -> Attempt:
    """One try at a session. `root` is the folder that its working directory starts from: the sweep's, or its build's;
    `files` are its inputs there, None for all that there is.

    `surroundings` is the environment the session will inherit anyway; what it sets already is not set again.
    """
    stdout, stderr, output, params_file = state.paths(session.id, number)
    params = params_json(session)
    env = {
        **thread_counts(session, surroundings),
        **session.env,
        "RUNNER_SWEEP": sweep.name,
        "RUNNER_SESSION": session.id,
        "RUNNER_INDEX": str(session.index),
        "RUNNER_REPEAT": str(session.repeat),
        "RUNNER_ATTEMPT": str(number),
        "RUNNER_OUTPUT_DIR": output,
        "RUNNER_PARAMS_FILE": params_file,
    }
    if len(params.encode()) + len("RUNNER_PARAMS=") < LONGEST_PARAMS:
        env["RUNNER_PARAMS"] = params
    if devices:
        env.update(dict.fromkeys(DEVICE_LISTS, ",".join(devices)))
    command = session.exec if session.exec is not None else ("python3", "-c", sweep.code or "")
    preload = None
    if sweep.python is not None and isinstance(command, tuple) and sweep.python.is_meant(command[0]):
        command = sweep.python.command(command, sweep.folder if sweep.backend.kind == "local" else None)
        preload = sweep.python.modules
    return Attempt(
        name=f"{state.id}-{session.id}-{number}",
        session=session.id,
        number=number,
        command=command,
        env=env,
        secrets=secrets,
        workdir=os.path.normpath(os.path.join(root, session.workdir)),
        stdout=stdout,
        stderr=stderr,
        output=output,
        resources=session.resources,
        image=session.image,
        timeout=sweep.policy.timeout,
        grace=sweep.policy.grace,
        root=root,
        files=files,
        preload=preload,
        start_when_below=start_when_below,
    )


def placed(sweep: Sweep, state: State, session: str, number: int, name: str) -> Attempt:
    """An attempt that was submitted before, as far as it takes to have a backend bring its logs to their places."""
    places = state.paths(session, number)
    return Attempt(
        name=name,
        session=session,
        number=number,
        command=(),
        env={},
        secrets={},
        workdir=str(sweep.folder),
        stdout=str(places.stdout),
        stderr=str(places.stderr),
        output=str(places.output),
        resources={},
        image=None,
        timeout=sweep.policy.timeout,
        grace=sweep.policy.grace,
    )


def params_json(session: Session) -> str:
    """The session's variables, typed, as UTF-8 JSON: RUNNER_PARAMS and the content of RUNNER_PARAMS_FILE."""
    return _encode({name: value.data for name, value in session.params.items()})


def thread_counts(session: Session, surroundings: Mapping[str, str]) -> dict[str, str]:
    """Thread counts that follow `cpu` where the file names it and nobody else has set them."""
    cpu = session.resources.get("cpu")
    if cpu is None:
        return {}
    threads = str(max(1, math.floor(cpu)))
    return {name: threads for name in THREAD_COUNTS if name not in surroundings}
