"""The sweep: a sweep file, read and checked, as one immutable value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.config.fields import BackendChoice, Placed, Sample
from runner.config.metrics import Metric
from runner.config.python_program import Python
from runner.config.secrets import Secrets
from runner.config.yaml.nodes import MappingNode, ScalarNode
from runner.diagnostics import Problem, Source
from runner.model import Amount, Policy
from runner.space.space import Space

REPEAT = "repeat"
"""The variable that every sweep has: the number of the repetition, from 0."""


@dataclass(frozen=True)
class Sweep:
    """The content of a sweep file. Exactly one of `shell`, `argv` and `code` is set."""

    source: Source
    document: MappingNode
    folder: Path
    name: str
    shell: Placed | None
    argv: tuple[Placed, ...] | None
    code: str | None
    build: Placed | None
    files: tuple[ScalarNode, ...]
    workdir: Placed | None
    image: Placed | None
    env: Mapping[str, Placed]
    secrets: Secrets
    mask_logs: bool
    resources: Mapping[str, Placed]
    space: Space
    sample: Sample | None
    repeat: int
    policy: Policy
    capacity: Mapping[str, Amount]
    max_parallel: int | None
    metrics: Mapping[str, Metric]
    backend: BackendChoice
    python: Python | None
    snapshot: bool | None
    warnings: tuple[Problem, ...]

    def templates(self) -> Iterable[Placed]:
        """Yield every template, by key."""
        yield from (self.argv or ())
        for placed in (self.shell, self.build, self.workdir, self.image):
            if placed is not None:
                yield placed
        yield from self.env.values()
        yield from self.resources.values()
