"""No value is read as anything but itself: from the file, through templates and shells, to a real program."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.processes import HANG

HOSTILE = [
    *(
        "; rm -rf /",
        "$(id)",
        "`id`",
        "'",
        '"',
        "'\"'",
        "a\nb",
        "*",
        "?",
        "-rf",
        "--",
        "~",
        "#",
        "!",
        "\\",
        "%s",
        "",
        " ",
    ),
    *("é", "日本", "😀", "A=1", "if", "{", "${HOME}", "$HOME", "$$", "&&", "|", ">f", "\t", "\r", "\x7f", "a b  c"),
]
VALUES = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.text(st.sampled_from("'\"\\$`;&|<>(){}[]*?~#!=% \t\n\rab01-\x01\x7fé"), max_size=12),
    min_size=1,
    max_size=12,
    unique=True,
)
PROGRAM = (
    "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['X'], json.loads(os.environ['RUNNER_PARAMS'])]))"
)


def received(folder: Path, sweep: Mapping[str, object]) -> list[list[object]]:
    """Apply the sweep and return what the program of each session saw, in plan order."""
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    (folder / "show.py").write_text(PROGRAM)
    runner = [sys.executable, "-m", "runner"]
    done = subprocess.run([*runner, "apply"], cwd=folder, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    results = subprocess.run([*runner, "results", "--format", "json"], cwd=folder, capture_output=True, check=True)
    return [json.loads(Path(row["stdout"]).read_text()) for row in json.loads(results.stdout)]


@settings(max_examples=6, deadline=None)
@example(HOSTILE)
@given(VALUES)
def test_lists_and_env_pass_any_value_unchanged(values: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sweep = {"exec": [sys.executable, "show.py", "$x", "--x=${x}"], "env": {"X": "$x"}, "ranges": {"x": values}}
        seen = received(Path(folder), sweep)
    assert seen == [[[value, f"--x={value}"], value, {"x": value}] for value in values]


@settings(max_examples=6, deadline=None)
@example(HOSTILE)
@given(VALUES)
def test_quoted_variable_in_shell_string_passes_any_value(values: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = f'{sys.executable} show.py "$x" --x="$x" "a${{x}}b" && : $x; true "$(: $x)" || false'
        seen = received(Path(folder), {"exec": command, "env": {"X": "$x"}, "ranges": {"x": values}})
    assert seen == [[[value, f"--x={value}", f"a{value}b"], value, {"x": value}] for value in values]


def test_value_of_100_kb_is_passed_everywhere(tmp_path: Path) -> None:
    value = "é" * 50_000
    sweep: dict[str, object] = {"exec": [sys.executable, "show.py", "$x"], "env": {"X": "$x"}, "ranges": {"x": [value]}}
    assert received(tmp_path, sweep) == [[[value], value, {"x": value}]]
    sweep["exec"] = f'{sys.executable} show.py "$x"'
    assert received(tmp_path, sweep) == [[[value], value, {"x": value}]]


def test_large_params_are_only_in_the_params_file(tmp_path: Path) -> None:
    """Two variables of 100 kB fit no single environment string."""
    program = (
        "import json, os; print('RUNNER_PARAMS' in os.environ, len(open(os.environ['RUNNER_PARAMS_FILE']).read()))"
    )
    sweep = {
        "exec": [sys.executable, "-c", program, "$x", "$y"],
        "ranges": {"x": ["a" * 100_000], "y": ["b" * 100_000]},
    }
    (tmp_path / "sweep.yaml").write_text(json.dumps(sweep))
    runner = [sys.executable, "-m", "runner"]
    subprocess.run([*runner, "apply"], cwd=tmp_path, check=True, capture_output=True)
    (log,) = (tmp_path / ".runner/sweep/logs").glob("*.out")
    assert log.read_text() == f"False {2 * 100_000 + len(json.dumps({'x': '', 'y': ''}))}\n"
