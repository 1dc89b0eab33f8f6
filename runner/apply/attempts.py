"""From a session to an attempt: command, environment and paths, as a backend needs them. No policy."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping

from runner.apply.builds import Builds
from runner.backends.base import LEASED
from runner.config.sweep import Sweep
from runner.model import Attempt, Scalar, Session
from runner.state import State

LONGEST_PARAMS = 128 * 1024
"""Bytes of one `NAME=value` string: Linux's limit. Above it RUNNER_PARAMS is not set; RUNNER_PARAMS_FILE always is."""

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables that limit the threads of numerical libraries, which start one for each cpu of the machine without them."""

DEVICE_LISTS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")

_encode = json.JSONEncoder(ensure_ascii=False).encode


class AttemptFactory:
    """Makes the attempts of one apply.

    secrets: values of the sweep's secrets, by name.
    environ: environment of runner. A local job inherits it; what it sets is not set again.
    digests: of the inputs, by path.
    """

    def __init__(
        self,
        sweep: Sweep,
        state: State,
        builds: Builds,
        *,
        secrets: Mapping[str, str],
        environ: Mapping[str, str],
        digests: Mapping[str, str],
    ) -> None:
        self._sweep = sweep
        self._state = state
        self._builds = builds
        self._secrets = secrets
        remote = sweep.backend.kind != "local"
        self._inherited = {} if remote else dict(environ)  # os.environ encodes each name that is looked up
        self.folder = sweep.folder
        """Where sessions without a build run."""
        self._digests = digests if remote else {}

    def make(
        self,
        session: Session,
        number: int,
        devices: tuple[str, ...] = (),
        start_when_below: int | None = None,
        moves: int = 0,
    ) -> Attempt:
        """Attempt `number` at the session, with these devices."""
        sweep = self._sweep
        root = str(self.folder) if session.build is None else self._builds.root(session)
        stdout, stderr, output, params_file = self._state.paths(session.id, number)
        env = {
            **thread_counts(session, self._inherited),
            **session.env,
            "RUNNER_SWEEP": sweep.name,
            "RUNNER_SESSION": session.id,
            "RUNNER_INDEX": str(session.index),
            "RUNNER_REPEAT": str(session.repeat),
            "RUNNER_ATTEMPT": str(number),
            "RUNNER_OUTPUT_DIR": output,
            "RUNNER_PARAMS_FILE": params_file,
        }
        params = params_json(session)
        if len(params.encode()) + len("RUNNER_PARAMS=") < LONGEST_PARAMS:
            env["RUNNER_PARAMS"] = params
        if devices:
            env.update(dict.fromkeys((*DEVICE_LISTS, LEASED), ",".join(devices)))
        elif LEASED in self._inherited:
            env[LEASED] = ""  # of the session around this runner
        command = session.exec if session.exec is not None else ("python3", "-c", sweep.code or "")
        preload = None
        if sweep.python is not None and isinstance(command, tuple) and sweep.python.is_meant(command[0]):
            command = sweep.python.command(command, sweep.folder if sweep.backend.kind == "local" else None)
            preload = sweep.python.modules
        return Attempt(
            name=f"{self._state.id}-{session.id}-{number}",
            session=session.id,
            number=number,
            command=command,
            env=env,
            secrets=self._secrets,
            workdir=os.path.normpath(os.path.join(root, session.workdir)),
            stdout=stdout,
            stderr=stderr,
            output=output,
            resources=session.resources,
            image=session.image,
            timeout=sweep.policy.timeout,
            grace=sweep.policy.grace,
            root=root,
            files=tuple(self._digests) if session.build is None else None,
            digests=self._digests,
            preload=preload,
            start_when_below=start_when_below,
            moves=moves,
        )


def submitted_attempt(sweep: Sweep, state: State, session: str, number: int, name: str) -> Attempt:
    """An attempt that was submitted before, with what a backend needs to fetch its logs: its name and its paths."""
    paths = state.paths(session, number)
    return Attempt(
        name=name,
        session=session,
        number=number,
        command=(),
        env={},
        secrets={},
        workdir=str(sweep.folder),
        stdout=str(paths.stdout),
        stderr=str(paths.stderr),
        output=str(paths.output),
        resources={},
        image=None,
        timeout=sweep.policy.timeout,
        grace=sweep.policy.grace,
    )


def params_json(session: Session) -> str:
    """The session's variables with their types: the value of RUNNER_PARAMS and the content of RUNNER_PARAMS_FILE."""
    members = [f"{_encode(name)}: {_params_value(value.data)}" for name, value in session.params.items()]
    return f"{{{', '.join(members)}}}"


def _params_value(data: Scalar) -> str:
    """JSON that YAML 1.1 reads alike: `1.0e-05`, because `1e-05` is a text to PyYAML."""
    text = _encode(data)
    return text.replace("e", ".0e") if isinstance(data, float) and "e" in text and "." not in text else text


def thread_counts(session: Session, inherited: Mapping[str, str]) -> dict[str, str]:
    """Thread counts equal to `cpu`, for the variables that are not inherited; none if the session names no cpu."""
    cpu = session.resources.get("cpu")
    if cpu is None:
        return {}
    threads = str(max(1, math.floor(cpu)))
    return {name: threads for name in THREAD_COUNTS if name not in inherited}
