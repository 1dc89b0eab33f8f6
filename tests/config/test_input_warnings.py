"""What validate and apply say about inputs. `files` is a promise: what is not in it runs nothing again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config.input_warnings import warnings
from runner.config.sweep import Sweep

LoadText = Callable[[str], Sweep]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = (
        "train.py conf.yaml data/in.csv data/.x x.sh pkg/__main__.py pkg/t.py .venv/bin/python src/a.py test out.txt log.txt"
        " env/pyvenv.cfg env/bin/python conf/.env conf/shown conf/.git/HEAD"
    )
    for path in names.split():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    return tmp_path


def said(load_text: LoadText, text: str) -> list[str]:
    return [problem.message for problem in warnings(load_text(text))]


@pytest.mark.parametrize(
    ("command", "uncovered"),
    [
        ("[python3, train.py, --lr, '1']", ["train.py"]),
        ("[./x.sh]", ["x.sh"]),
        ("[python3, -m, pkg]", ["pkg"]),
        ("[python3, -m, pkg.t]", ["pkg/t.py"]),
        ("[prog, --config=conf.yaml, data.path=data/in.csv, '@log.txt']", ["conf.yaml", "data/in.csv", "log.txt"]),
        ("[python3, $folder/train.py]", ["train.py"]),
        ("[bash, -euc, 'python3 train.py']", ["train.py"]),
        ("python3 train.py --config=conf.yaml <data/in.csv", ["train.py", "conf.yaml", "data/in.csv"]),
        ("cd . && ./x.sh; cat 'conf.yaml'", ["x.sh", "conf.yaml"]),
        ("python3 -m pkg.t", ["pkg/t.py"]),
        ("cat data/*.csv", ["data/*.csv"]),
        ("[sh, -c, 'cat data/*.csv']", ["data/*.csv"]),
        ("[python3, -c, 'import train; train.main()']", ["train.py"]),
    ],
)
def test_file_that_exec_names_and_files_lacks(
    folder: Path, load_text: LoadText, command: str, uncovered: list[str]
) -> None:
    found = said(load_text, f"exec: {command.replace('$folder', str(folder))}\n")
    assert found == [f"`{path}` is not in `files`: an edit of it runs nothing again" for path in uncovered]


@pytest.mark.parametrize(
    "text",
    [
        "exec: [python3, train.py]\nfiles: []\n",
        "exec: [python3, train.py]\nfiles: [train.py]\n",
        "exec: [python3, train.py]\nfiles: ['*.py']\n",
        "exec: [python3, -m, pkg]\nfiles: [pkg]\n",
        "exec: [/bin/true, x]\n",
        "exec: [.venv/bin/python, '-c', x]\n",
        "exec: [env/bin/python, '-c', x]\n",
        "exec: [test, -f, x]\n",  # looked for on PATH
        "exec: test -f x; test -f y\n",
        "exec: [prog, -o, out.txt, --log-file, log.txt, --output=out.txt]\n",
        "exec: prog -o out.txt --log=log.txt >out.txt 2>>log.txt | tee -a log.txt\n",
        "exec: [ls, ../train.py]\n",
        "exec: cat data/*.csv\nfiles: ['data/*.csv']\n",
        "exec: cat data/*.csv\nfiles: [data, data/.x]\n",
        "exec: ls *.nothing [a]\n",
        "exec: [make, x.sh]\nbuild: make\nfiles: [train.py]\n",
    ],
)
def test_no_warning_where_nothing_is_missing(folder: Path, load_text: LoadText, text: str) -> None:
    assert said(load_text, text) == []


def test_template_that_names_a_file_with_one_of_its_values(folder: Path, load_text: LoadText) -> None:
    text = "exec: [python3, src/$m.py]\nranges: {m: [a, b]}\n"
    assert said(load_text, text) == ["`src/a.py` is not in `files`: an edit of it runs nothing again"]


@pytest.mark.parametrize("name", ["$m", '"${m}"'])
def test_variable_of_a_shell_string_that_names_a_file(folder: Path, load_text: LoadText, name: str) -> None:
    text = f"exec: python3 src/{name}.py >out.txt\nranges: {{m: [b, a]}}\n"
    assert said(load_text, text) == ["`src/a.py` is not in `files`: an edit of it runs nothing again"]


@pytest.mark.parametrize(
    "text",
    [
        'code: "import os\\nfrom train import main"\n',
        "code: print(1)\npython: {preload: [json, train]}\n",
    ],
)
def test_module_of_the_users_own(folder: Path, load_text: LoadText, text: str) -> None:
    assert said(load_text, text) == ["`train.py` is not in `files`: an edit of it runs nothing again"]


def test_file_relative_to_the_working_directory(folder: Path, load_text: LoadText) -> None:
    text = "exec: [python3, a.py]\nworkdir: src\n"
    assert said(load_text, text) == ["`src/a.py` is not in `files`: an edit of it runs nothing again"]


def test_hint_is_the_line_that_silences_it(folder: Path, load_text: LoadText) -> None:
    (folder / "my file.py").write_text("")
    [problem] = warnings(load_text("exec: [python3, 'my file.py']\nfiles: [conf.yaml]\n"))
    assert problem.hint == "write `files: [conf.yaml, 'my file.py']`, or `files: []` if no edit matters"
    assert said(load_text, "exec: [python3, 'my file.py']\nfiles: [conf.yaml, 'my file.py']\n") == []


@pytest.mark.parametrize(
    ("entry", "hidden"),
    [("conf", "conf/.env"), ("'conf/*'", "conf/.env"), ("'conf/**'", "conf/.env"), ("'*onf'", "conf/.env")],
)
def test_hidden_file_that_an_entry_leaves_out(folder: Path, load_text: LoadText, entry: str, hidden: str) -> None:
    assert said(load_text, f"exec: [true]\nfiles: [{entry}]\n") == [
        f"hidden files are left out of `{entry.strip(chr(39))}`: `{hidden}`"
    ]
    assert said(load_text, f"exec: [true]\nfiles: [{entry}, {hidden}]\n") == []


def test_file_of_secrets_is_left_out_on_purpose(folder: Path, load_text: LoadText) -> None:
    (folder / "conf/.env").write_text("TOKEN=12345678\n")
    assert said(load_text, "exec: [true]\nfiles: [conf]\nsecrets: {from: conf/.env}\n") == []


def test_link_that_leads_nowhere(folder: Path, load_text: LoadText) -> None:
    os.symlink("nowhere", folder / "src/broken")
    text = "exec: [true]\nfiles: [src]\n"
    assert said(load_text, text) == ["links that lead nowhere are left out of `src`: `src/broken`"]


@pytest.mark.parametrize(
    "text",
    [
        "exec: cat src/a.py >src/out\nfiles: [src]\n",
        "exec: date | tee src/out\nfiles: ['src/*']\n",
        "exec: [prog, --output, src/out]\nfiles: [src]\n",
        "exec: date >out\nworkdir: src\nfiles: [src]\n",
    ],
)
def test_session_that_writes_into_its_inputs(folder: Path, load_text: LoadText, text: str) -> None:
    found = said(load_text, text)
    assert found == ["a session writes `src/out`, which is one of `files`: it ends as `stale`"]
