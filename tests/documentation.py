"""The console blocks of README and guides are run, and their output is compared with the text.

`python -m tests.documentation` writes the real output into every block, so that it is captured and never imagined.

A block of YAML or Python that begins with `# NAME` is a file of that name. A block after `<!-- not run: REASON -->`
needs a cluster, a terminal or another program, and was captured by hand. Times, sizes and temporary paths differ from
run to run and are not compared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.paths import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "runner" / "guides").glob("*.md"))]
TIMEOUT = 300

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
_NOT_RUN = re.compile(r"<!-- not run: [^>]*-->\s*\Z")
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
_VARIES = re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|s|[KMG]iB)\b|\b\d+h \d+m\b|\b\d+m \d+s\b|/tmp/[\w/.-]+")

TRAIN = """\
import json, os, pathlib, sys
lr, seed = float(sys.argv[2]), int(sys.argv[4])
loss = {"val": {"loss": round(abs(lr - 0.03) + seed / 100, 4)}}
pathlib.Path(os.environ["RUNNER_OUTPUT_DIR"], "metrics.json").write_text(json.dumps(loss))
"""


class Step(NamedTuple):
    """A command of a block and the lines shown below it."""

    command: str
    shown: str


class Block(NamedTuple):
    """A console block as text[start:end] of its document."""

    start: int
    end: int
    steps: list[Step]


def blocks(text: str) -> Iterator[Block | tuple[str, str]]:
    """The blocks to run and, as (name, content), the files, in the order of the document."""
    for found in _FENCE.finditer(text):
        if found[1] == "console" and not _NOT_RUN.search(text, 0, found.start()):
            parts = re.split(r"^\$ ", found[2], flags=re.M)[1:]
            steps = []
            for part in parts:
                lines = part.splitlines(keepends=True)
                size = 1
                while size < len(lines) and lines[size - 1].endswith("\\\n"):
                    size += 1
                steps.append(Step("".join(lines[:size]).strip(), "".join(lines[size:])))
            yield Block(found.start(2), found.end(2), steps)
        elif name := _FILE.match(found[2]):
            yield name[1], found[2]


def environment(home: Path) -> dict[str, str]:
    """What the commands see: this interpreter's `runner`, no colours, none of the caller's CI."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "RUNNER_", "BACKEND_"))
    }
    kept.pop("CI", None)
    path = os.pathsep.join([str(home / "bin"), os.path.dirname(sys.executable), kept["PATH"]])
    return {**kept, "PATH": path, "HOME": str(home), "COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}


def run(command: str, folder: Path, home: Path) -> str:
    """Return the output of a command: stdout, then stderr."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return done.stdout + done.stderr


def comparable(output: str) -> list[str]:
    """The lines of an output, sorted, without what differs from run to run."""
    lines = [_VARIES.sub("…", line) for line in output.splitlines() if not line.startswith("in use: ")]
    return sorted(re.sub(r"\s+", " ", line).strip() for line in lines if line.strip())


def outputs(document: Path) -> Iterator[tuple[Block, list[str]]]:
    """Each block that is run, with the real outputs of its commands."""
    with tempfile.TemporaryDirectory(prefix="docs-") as made:
        folder, home = Path(made, "work"), Path(made, "home")
        (home / "bin").mkdir(parents=True)
        folder.mkdir()
        (home / "bin" / "runner").write_text(f'#!/bin/sh\nexec {sys.executable} -m runner "$@"\n')
        (home / "bin" / "runner").chmod(0o755)
        (folder / "train.py").write_text(TRAIN)
        for found in blocks(document.read_text(encoding="utf-8")):
            if isinstance(found, Block):
                yield found, [run(step.command, folder, home) for step in found.steps]
            else:
                (folder / found[0]).parent.mkdir(parents=True, exist_ok=True)
                (folder / found[0]).write_text(found[1])


def update() -> None:
    """Write the real output into every block of every document."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for block, printed in reversed(list(outputs(document))):
            new = "".join(f"$ {step.command}\n{output}" for step, output in zip(block.steps, printed, strict=True))
            text = text[: block.start] + new + text[block.end :]
        document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    update()
