"""The lint step for words: `python -m tests.words` prints every place with a word that this project does not use."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

from tests.paths import ROOT

DENIED = re.compile(
    r"\b(whoever|whatever|nobody|anew|kin|for ever|meanwhile|shall|told|dearer|what there is|it was said|such as it is"
    r"|(?<!there )is no (?!longer\b|more\b)[a-z]+)\b",
    re.I,
)
CHECKED = (".py", ".sh", ".js", ".css", ".md", ".json", ".yaml", ".toml", ".txt", "run")
NOT_CHECKED = ("tests/words.py", "tests/junit.xsd")


def findings() -> Iterator[str]:
    """`path:line: word` for every denied word in the files that git tracks."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if not name.endswith(CHECKED) or name in NOT_CHECKED or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            for match in DENIED.finditer(line):
                yield f"{name}:{number}: {match[0]}"


if __name__ == "__main__":
    found = list(findings())
    print("\n".join(found))
    sys.exit(1 if found else 0)
