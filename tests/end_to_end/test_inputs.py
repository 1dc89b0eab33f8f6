"""A result is of the code it names: what happens when inputs change while an apply runs.

The sessions change their inputs themselves, where the time of the change matters. So nothing depends on how fast they run.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import HANG


class Folder:
    """A folder with a sweep file, and the command line in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **texts: str) -> None:
        """Write files; `__` stands for the dot of a name."""
        for name, text in texts.items():
            (self.path / name.replace("__", ".")).write_text(text)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )

    def results(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self("results", "--format", "json").stdout)
        return rows


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_edit_while_a_session_runs_makes_it_stale_and_starts_nothing_more(folder: Folder) -> None:
    folder.write(
        sweep__yaml="exec: [sh, job.sh]\nfiles: [job.sh]\nrepeat: 3\nmax_parallel: 1\nmetrics: {v: {regex: 'v=(.*)'}}\n",
        job__sh="echo v=1\nmv new job.sh\nexit 0\n",
        new="echo v=2\n",
    )
    done = folder("apply")
    assert done.returncode == 1
    assert "stopping: `job.sh` changed since this apply read it; the next apply runs" in done.stderr
    assert "1 stale, 2 not run" in done.stderr
    assert {row["status"] for row in folder.results()} == {"new"}

    assert folder("apply").returncode == 0
    assert {row["metrics"]["v"] for row in folder.results()} == {2}

    folder.write(job__sh="echo v=1\nmv new job.sh\nexit 0\n")  # the edit is taken back
    rows = folder.results()
    assert [row["status"] for row in rows] == ["stale", "new", "new"]
    assert (rows[0]["exit_code"], rows[0]["reason"]) == (0, "`job.sh` changed while it ran")
    assert rows[0]["metrics"] == {}
    assert "3 to run" in folder("plan").stdout


def test_edit_that_is_taken_back_while_the_session_runs_makes_it_stale(folder: Folder) -> None:
    folder.write(
        sweep__yaml="exec: [sh, job.sh]\nfiles: [job.sh, data]\n",
        job__sh="mv data new; echo 2 >data; mv new data\n",
        data="1",
    )
    done = folder("apply")
    assert done.returncode == 1
    assert "`data` may have had other content while it ran" in done.stderr


def test_session_that_writes_into_its_inputs_is_stale_and_told_how_to_mend_it(folder: Folder) -> None:
    (folder.path / "data").mkdir()
    folder.write(sweep__yaml="exec: 'cat data/in >data/out'\nfiles: [data]\nrepeat: 2\nmax_parallel: 1\n")
    (folder.path / "data/in").write_text("1")
    done = folder("apply")
    assert done.returncode == 1
    assert "`data/out` is new in `files` while it ran" in done.stderr
    assert "if a session writes it, take it out of `files`" in done.stderr


def test_failure_with_changed_inputs_is_stale_with_its_exit_code(folder: Folder) -> None:
    folder.write(sweep__yaml="exec: 'echo 2 >data; exit 3'\nfiles: [data]\nretry: {limit: 2, backoff: 0s}\n", data="1")
    assert folder("apply").returncode == 1
    folder.write(data="1")
    [row] = folder.results()
    assert (row["status"], row["exit_code"], row["attempts"]) == ("stale", 3, 1)
    assert row["reason"] == "`data` changed while it ran; exit code 3"


def test_file_that_is_no_input_may_change(folder: Folder) -> None:
    folder.write(sweep__yaml="exec: 'echo 2 >other'\nfiles: ['*.txt']\nrepeat: 2\n", a__txt="1", other="1")
    assert folder("apply").returncode == 0


def test_build_of_other_content_starts_nothing_more(folder: Folder) -> None:
    folder.write(
        sweep__yaml="build: 'echo $x'\nexec: [sh, ../../../../edit.sh]\nfiles: [a]\nmax_parallel: 1\nranges: {x: [1, 2]}\n",
        a="1",
        edit__sh="echo 2 >../../../../a\n",
    )
    done = folder("apply")
    assert done.returncode == 1
    assert "stopping: `a` changed since this apply read it" in done.stderr
    assert "1 succeeded, 1 not run" in done.stderr, "the first one ran in a private copy of the old content"


def test_snapshot_gives_every_session_the_content_of_its_id(folder: Folder) -> None:
    """The first session edits the original; the second one still reads the copy, and both have succeeded."""
    command = "cat data >$RUNNER_OUTPUT_DIR/seen; echo 2 >../../../../data"
    text = f"exec: '{command}'\nfiles: [data]\nrepeat: 2\nmax_parallel: 1\nsnapshot: true\n"
    folder.write(sweep__yaml=text, data="1\n")
    assert folder("apply").returncode == 0
    seen = [path.read_text() for path in folder.path.glob(".runner/sweep/output/*/seen")]
    assert seen == ["1\n", "1\n"]
    assert "2 to run" in folder("plan").stdout
    folder.write(data="1\n")
    assert folder("plan", "--exit-code").returncode == 0


def test_snapshot_is_read_only_and_shared_and_leads_to_what_is_no_input(folder: Folder) -> None:
    (folder.path / "lib").mkdir()
    folder.write(sweep__yaml="exec: [sh, lib/job.sh]\nfiles: [lib/job.sh]\nrepeat: 3\nsnapshot: true\n", big="big")
    (folder.path / "lib/job.sh").write_text("cat big lib/more\n")
    (folder.path / "lib/more").write_text("more")
    assert folder("apply").returncode == 0
    [snapshot] = (folder.path / ".runner/sweep/inputs").iterdir()
    assert stat.S_IMODE((snapshot / "lib/job.sh").lstat().st_mode) & 0o222 == 0
    assert stat.S_IMODE(snapshot.stat().st_mode) & 0o222 == 0
    assert {(row["exit_code"], Path(row["stdout"]).read_text()) for row in folder.results()} == {(0, "bigmore")}


def test_session_that_changes_its_snapshot_is_stale(folder: Folder) -> None:
    """Root may write to a read-only file, and any owner may make it writable."""
    text = "exec: 'chmod +w . data; echo 2 >data'\nfiles: [data]\nrepeat: 2\nmax_parallel: 1\nsnapshot: true\n"
    folder.write(sweep__yaml=text, data="1")
    assert "1 stale, 1 not run" in folder("apply").stderr
    folder.write(sweep__yaml=text.replace("chmod +w . data; echo 2 >data", "cat data"))
    assert folder("apply").returncode == 0, "another recipe, but the same snapshot: it was made again"
    assert {Path(row["stdout"]).read_text() for row in folder.results()} == {"1"}


def test_prune_removes_snapshots_that_no_session_uses(folder: Folder) -> None:
    folder.write(sweep__yaml="exec: [cat, data]\nfiles: [data]\nsnapshot: true\n", data="1")
    folder("apply")
    folder.write(data="2")
    folder("apply")
    inputs = folder.path / ".runner/sweep/inputs"
    assert len(list(inputs.iterdir())) == 2
    assert "1 snapshot" in folder("prune", "--yes").stdout
    [kept] = inputs.iterdir()
    assert (kept / "data").read_text() == "2"


def test_edit_before_the_snapshot_is_made_starts_nothing(folder: Folder) -> None:
    """The apply reads its inputs before it opens the state; the edit comes in between."""
    folder.write(sweep__yaml="exec: [cat, data]\nfiles: [data]\nsnapshot: true\n", data="1")
    program = (
        "import sys, runner.cli.apply as it\nfrom runner.__main__ import main\nplan = it.plan_sweep\n"
        "def late(sweep):\n    planned = plan(sweep)\n    open('data', 'w').write('2')\n    return planned\n"
        "it.plan_sweep = late\nsys.argv[1:] = ['apply']\nsys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder.path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "stopping: `data` changed since this apply read it" in done.stderr
    assert folder.results()[0]["status"] == "new"


def test_stale_counts_as_new_for_only(folder: Folder) -> None:
    folder.write(sweep__yaml="exec: 'echo 2 >data'\nfiles: [data]\n", data="1")
    folder("apply")
    folder.write(data="1")
    assert "1 to run" in folder("plan", "--only", "new").stdout
    assert "0 to run" in folder("plan", "--only", "failed").stdout
