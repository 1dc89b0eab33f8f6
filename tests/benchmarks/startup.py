"""How long runner takes to start, beside an empty Python: `python tests/benchmarks/startup.py [ROUNDS]`.

Prints the median over interleaved rounds, in milliseconds beyond `python -c pass` of the same round.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

COMMANDS = {
    "runner --help": ["-m", "runner", "--help"],
    "runner validate sweeps/hello.yaml": ["-m", "runner", "validate", "sweeps/hello.yaml"],
    "runner plan sweeps/hello.yaml": ["-m", "runner", "plan", "sweeps/hello.yaml"],
}
TARGETS = {"runner --help": 80, "runner validate sweeps/hello.yaml": 200}


def milliseconds(arguments: list[str]) -> float:
    # Compiled modules must be kept, or every start would compile all of them.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, check=True)
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    beyond: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        milliseconds(arguments)
    for _ in range(rounds):
        bare = milliseconds(["-c", "pass"])
        for name, arguments in COMMANDS.items():
            beyond[name].append(milliseconds(arguments) - bare)
    print("| command | ms beyond `python -c pass` | target |\n| --- | --- | --- |")
    for name, times in beyond.items():
        print(f"| `{name}` | {statistics.median(times):.0f} | {TARGETS.get(name, '-')} |")


if __name__ == "__main__":
    main()
