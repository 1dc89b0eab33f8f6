from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from runner import clock
from tests.processes import HANG

SET_BACK = """
import sys, time
from runner import clock
time.time = lambda: 0.0  # somebody sets the clock once runner has started
from runner.cli.main import run
sys.exit(run(["apply", "--format", "jsonl"]))
"""


def test_now_is_unix_time() -> None:
    assert abs(clock.now() - time.time()) < 3600


def test_clock_set_back_while_an_apply_runs(tmp_path: Path) -> None:
    (tmp_path / "in.txt").touch()
    sweep = "exec: [sleep, '0.2']\nbuild: sleep 0.2\nfiles: [in.txt]\nrepeat: 2\nmax_parallel: 1\n"
    (tmp_path / "sweep.yaml").write_text(sweep)
    command = [sys.executable, "-c", SET_BACK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=HANG)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    times = [event["at"] for event in events]
    assert times == sorted(times)
    status = [sys.executable, "-m", "runner", "status", "--format", "json"]
    shown = json.loads(subprocess.run(status, cwd=tmp_path, capture_output=True, check=True).stdout)
    assert shown["apply"]["duration"] >= 0.6
