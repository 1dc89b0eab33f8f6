"""Hints for commands and options that do not exist can be followed, and are never destructive by similarity."""

from __future__ import annotations

import importlib
import re
import string

import click
import pytest

from runner.cli import COMMANDS
from runner.cli.suggestions import COMMAND_ALIASES, DESTRUCTIVE, OPTION_ALIASES, command_hint, option_hint

_TYPED = re.compile(r"`runner ([a-z-]+)([^`]*)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def context_of(name: str) -> click.Context:
    command = importlib.import_module(f"runner.cli.{name}").command
    assert isinstance(command, click.Command)
    return click.Context(command, info_name=f"runner {name}")


def options_of(name: str) -> set[str]:
    return {option for parameter in context_of(name).command.params for option in parameter.opts}


@pytest.mark.parametrize("word", sorted(COMMAND_ALIASES))
def test_hint_for_a_command_names_commands_and_options_that_exist(word: str) -> None:
    assert word not in COMMANDS
    for found in _TYPED.finditer(command_hint(word, COMMANDS).replace("`runner --version`", "")):
        assert found[1] in COMMANDS
        assert set(_OPTION.findall(found[2])) <= options_of(found[1])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_hint_for_an_option_names_options_that_exist(name: str) -> None:
    for word in OPTION_ALIASES:
        hint = option_hint(f"--{word}", context_of(name)) or ""
        assert set(_OPTION.findall(hint)) <= {*options_of(name), "--version"}, (word, hint)


@pytest.mark.parametrize(
    ("command", "option", "hint"),
    [
        ("apply", "--dry-run", "`runner plan` shows what would run"),
        ("apply", "-n", "`runner plan` shows what would run"),
        ("apply", "--resume", "leave it out: apply continues where the last one stopped"),
        ("apply", "--force", "`--fresh` runs every session again"),
        ("prune", "--force", "without `--yes`, prune only shows what it would remove"),
        ("cancel", "--force", None),
        ("apply", "-j", "write `--max-parallel N`"),
        ("apply", "--workers", "write `--max-parallel N`"),
        ("validate", "--workers", None),
        ("results", "--failed", "write `--where status=failed`"),
        ("apply", "--failed", "write `--only failed`"),
        ("apply", "--quiet", "redirect stderr: `2>/dev/null`"),
        ("apply", "--set", "edit the sweep file; `--select X=V` chooses sessions"),
        ("apply", "-f", "leave it out: write the sweep file as an argument"),
        ("logs", "--tail", "pipe the output: `| tail -n 20`"),
        ("results", "--top", "pipe the output: `| head -n 6`"),
        ("results", "--json", "write `--format json`"),
        ("apply", "--json", "write `--format jsonl`"),
        ("apply", "--csv", None),
        ("logs", "--json", None),
        ("status", "--follow", "write `--watch`"),
        ("apply", "--selct", "did you mean `--select`?"),
    ],
)
def test_option(command: str, option: str, hint: str | None) -> None:
    assert option_hint(option, context_of(command)) == hint


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_destructive_option_is_suggested_for_a_misspelling(name: str) -> None:
    for option in sorted(options_of(name) & DESTRUCTIVE):
        for word in misspelled(option.lstrip("-")):
            hint = option_hint(f"--{word}", context_of(name)) or ""
            assert option not in hint or word in OPTION_ALIASES


def test_no_destructive_command_is_suggested_for_a_misspelling() -> None:
    for command in ("cancel", "prune"):
        for word in misspelled(command):
            assert f"`{command}`" not in command_hint(word, COMMANDS)
    assert command_hint("aply", COMMANDS) == "did you mean `apply`?"


def misspelled(word: str) -> list[str]:
    """Return the texts that are one edit away from a word."""
    places = range(len(word))
    shorter = [word[:at] + word[at + 1 :] for at in places]
    swapped = [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in places[:-1]]
    longer = [word[:at] + letter + word[at:] for at in places for letter in string.ascii_lowercase]
    return [one for one in (*shorter, *swapped, *longer) if one and one != word]
