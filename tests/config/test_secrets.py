"""`secrets`: where the values come from, what is wrong with them, and that they are no input."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config import files
from runner.config.load import load
from runner.config.secrets import UnreadableError, parse
from runner.config.sweep import Sweep
from runner.diagnostics import InvalidSweep, Problem, Source


def sweep(folder: Path, text: str) -> Sweep:
    return load(Source("sweep.yaml", f"exec: [echo, hi]\nrepeat: 2\n{text}\n"), folder)


def shown(problems: list[Problem]) -> list[tuple[int | None, str]]:
    return [(problem.span.line + 1 if problem.span else None, problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("export A=1\r\n\r\n# comment\n  B = 2  # comment\n", {"A": "1", "B": "2"}),
        ('A=\'$x \\n #\'\nB="a\\nb\\t\\"\\\\\\$x" # c\n', {"A": "$x \\n #", "B": 'a\nb\t"\\$x'}),
        ("A='two\nlines'\nB=\"two\nlines\"", {"A": "two\nlines", "B": "two\nlines"}),
        ("A=\nB=''\nC=#x\nD=a#b", {"A": "", "B": "", "C": "", "D": "a#b"}),
        ("A=1\nA=2", {"A": "2"}),
        ("\ufeffA=1".removeprefix("\ufeff"), {"A": "1"}),
        ("", {}),
        ("# only a comment", {}),
        ("A=x=y=z", {"A": "x=y=z"}),
    ],
)
def test_syntax_of_a_file_of_secrets(text: str, found: dict[str, str]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\nB", 2), ("1A=1", 1), ("A='x", 1), ('A=1\n\nB="x', 3), ("A='x' y", 1), ("=x", 1), ("A B=1", 1)],
)
def test_wrong_line_is_named(text: str, line: int) -> None:
    with pytest.raises(UnreadableError, match=f"line {line}$"):
        parse(text)


def test_values_come_from_the_environment(tmp_path: Path) -> None:
    secrets = sweep(tmp_path, "secrets: [A, B]").secrets
    assert secrets.known({"A": "1", "B": "2", "C": "3"}) == {"A": "1", "B": "2"}
    assert list(secrets.problems({"A": "1", "B": "2"}, needed=True)) == []


def test_missing_and_empty_variables_are_problems_at_their_places(tmp_path: Path) -> None:
    secrets = sweep(tmp_path, "secrets:\n- A\n- B").secrets
    assert shown(list(secrets.problems({"B": ""}, needed=True))) == [
        (4, "secret `A` is not set in the environment"),
        (5, "secret `B` is empty"),
    ]
    assert shown(list(secrets.problems({"B": ""}, needed=False))) == [(5, "secret `B` is empty")]


def test_file_gives_all_of_its_names_or_the_named_ones(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=11111111\nB=22222222\n")
    assert sweep(tmp_path, "secrets: {from: .env}").secrets.known({"A": "other"}) == {"A": "11111111", "B": "22222222"}
    assert sweep(tmp_path, "secrets: {from: .env, names: [B]}").secrets.known({}) == {"B": "22222222"}
    absolute = f"secrets: {{from: {tmp_path / '.env'}}}"
    assert sweep(tmp_path / "elsewhere", absolute).secrets.names() == ["A", "B"]


@pytest.mark.parametrize(
    ("content", "keys", "problem"),
    [
        (None, "from: .env", (3, "`.env` does not exist")),
        ("", "from: .env", (3, "`.env` has no secrets")),
        ("A\n", "from: .env", (3, "`.env` has a line that is not `NAME=VALUE`: line 1")),
        ("A=1", "from: .env, names: [B]", (3, "`.env` has no `B`")),
        ("A=", "from: .env", (3, "secret `A` is empty in `.env`")),
        ("A=\nB=1", "from: .env, names: [A]", (3, "secret `A` is empty in `.env`")),
        ("A=1", "from: .", (3, "`.` is not a regular file")),
    ],
)
def test_wrong_file_is_a_problem(tmp_path: Path, content: str | None, keys: str, problem: tuple[int, str]) -> None:
    if content is not None:
        (tmp_path / ".env").write_text(content)
    for needed in (True, False):
        found = shown(list(sweep(tmp_path, f"secrets: {{{keys}}}").secrets.problems({}, needed=needed)))
        assert found in ([problem], [(3, "`.` cannot be read: Is a directory")])


def test_short_value_and_readable_file_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=short\nB=long enough\n")
    (tmp_path / ".env").chmod(0o640)
    secrets = sweep(tmp_path, "secrets: {from: .env}").secrets
    assert shown(list(secrets.warnings({}))) == [
        (3, "secret `A` has fewer than 8 characters and is not masked in what sessions print"),
        (3, "other users can read `.env`"),
    ]
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / ".env").write_text("B=long enough\n")
    assert list(secrets.warnings({})) == []


def test_file_of_secrets_is_never_an_input(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "prod.env").write_text("A=11111111")
    (tmp_path / "keys" / "other").touch()
    for entry in ("keys", "keys/*", "**/*.env", "keys/*.env"):
        found = files.paths(sweep(tmp_path, f"secrets: {{from: keys/prod.env}}\nfiles: ['{entry}']"))
        assert "keys/prod.env" not in found
    with pytest.raises(InvalidSweep, match="is in `files` and in `secrets`"):
        sweep(tmp_path, "secrets: {from: keys/prod.env}\nfiles: [keys/prod.env]")


@pytest.mark.parametrize(
    "text", ["secrets: {}", "secrets: {from: ''}", "secrets: {names: [A]}", "secrets: {from: x, y: 1}"]
)
def test_wrong_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSweep):
        sweep(tmp_path, text)


def test_secret_of_a_file_cannot_be_in_env(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=11111111")
    with pytest.raises(InvalidSweep, match="in `env` and in `secrets`"):
        sweep(tmp_path, "env: {A: x}\nsecrets: {from: .env, names: [A]}")
