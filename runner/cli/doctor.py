"""`runner doctor`: what this machine can enforce and reach."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

import runner
from runner.backends.base import Finding
from runner.cli.options import load_sweep
from runner.cli.streams import machine_readable
from runner.errors import EnvironmentFailed, InvalidInput
from runner.state import locate
from runner.sweep import Sweep

BACKENDS = ("local", "backend.ai", "slurm")


@click.command("doctor")
@click.argument("file", metavar="[SWEEP.YAML]", required=False)
@click.option("--backend", metavar="NAME", help="Look at this backend too. [default: the file's]")
@click.option("--image", metavar="IMAGE", help="Ask the backend about this image. [default: the file's]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(file: str | None, backend: str | None, image: str | None, form: str) -> int:
    """Say what this machine offers sessions, which limits are really enforced here, and whether a backend can be used.

    Exit 3 when it cannot.
    """
    sweep = load_sweep(file) if file is not None else None
    kind = backend or (sweep.backend.kind if sweep else "local")
    if kind not in BACKENDS:
        raise InvalidInput(f"unknown backend `{kind}`", f"there is {', '.join(f'`{name}`' for name in BACKENDS)}")
    findings = [
        Finding("runner", f"{runner.__version__} on Python {platform.python_version()}, {sys.platform}", None),
        Finding("sqlite", sqlite3.sqlite_version, None),
        *_of_backend(kind, sweep, image),
    ]
    code = EnvironmentFailed.exit_code if any(finding.failed for finding in findings) else 0
    if form == "json":
        machine_readable()
        click.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2))
        return code
    width = max(len(finding.fact) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.fact:<{width}}  {finding.value}")
        if finding.hint:
            click.echo(f"{'':<{width}}  hint: {finding.hint}")
    return code


def _of_backend(kind: str, sweep: Sweep | None, image: str | None) -> Iterable[Finding]:
    if kind == "local":
        return _local()
    return _slurm(sweep) if kind == "slurm" else _backendai(sweep, image)


def _local() -> Iterable[Finding]:
    from runner.backends.local.enforcement import describe

    return describe(os.environ)


def _backendai(sweep: Sweep | None, image: str | None) -> Iterable[Finding]:
    import trio

    from runner.backends.backendai.health import examine

    options: Any = sweep.backend.options if sweep and sweep.backend.kind == "backend.ai" else {}
    if image is None and sweep is not None and sweep.image is not None and not sweep.image.template.names:
        image = sweep.image.template.render({})
    return trio.run(examine, options, os.environ, image)


def _slurm(sweep: Sweep | None) -> Iterable[Finding]:
    import trio

    from runner.backends.slurm.health import examine

    options: Any = sweep.backend.options if sweep and sweep.backend.kind == "slurm" else {}
    folder = locate(sweep.folder, sweep.name, None) if sweep else Path.cwd()
    return trio.run(examine, options, os.environ, folder)
