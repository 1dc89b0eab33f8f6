"""README and guides show what really happens, and stay short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation import DOCUMENTS, comparable, outputs
from tests.paths import ROOT


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_console_blocks_show_the_real_output(document: Path) -> None:
    for block, printed in outputs(document):
        for step, output in zip(block.steps, printed, strict=True):
            assert comparable(output) == comparable(step.shown), step.command


def test_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    fenced = False
    assert len(lines) < 150
    for line in lines:
        fenced = fenced != line.startswith("```")
        assert len(line) <= 100 or fenced, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert target.startswith("http") or (document.parent / target).exists(), target


def test_documents_do_not_install_another_distribution() -> None:
    for path in [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "pyproject.toml"]:
        assert not re.search(r"pip install [^`\n]*\brunner\b(?!\.git)", path.read_text()), path
