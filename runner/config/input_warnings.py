"""Warnings about what is an input: files that `exec` names and `files` lacks, that `files` leaves out, that a session writes.

An edit of a file that is not in `files` runs nothing again, so its old results stay. `files: []` says that this is meant.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from runner.config import files
from runner.config.fields import Placed, leads_out
from runner.config.sweep import REPEAT, Sweep
from runner.config.yaml.nodes import ScalarNode, place
from runner.diagnostics import Problem, Span
from runner.model import Value

MOST_VALUES = 100
"""Values of a template that are tried: `$model.py` may name a file."""

MOST_SHOWN = 3
"""Files that one warning names."""

_OUTPUT = re.compile(r"-o(?:=|\Z)|-{0,2}(?:out|log|save|dump|dest|write|report|result)[\w-]*(?:=|\Z)", re.I)
"""An option whose value is a file that the program writes, with or without it."""

_SHELL, _SHELL_OPTION = re.compile(r"(?:.*/)?(?:ba|da|z|k)?sh\Z"), re.compile(r"-\w*c\Z")

_WORD = re.compile(r"""(?:(?P<write>\d?>{1,2}\|?|\btee(?:\s+-a)?(?=\s))\s*)?(?P<word>[^\s'"`;|&<>()$\\]+)""")
_VARIABLE = re.compile(r'(")?\$\{?([A-Za-z_]\w*)\}?(?(1)")')

_IMPORT = re.compile(r"(?:^|[;\n])\s*(?:from|import)\s+([A-Za-z_][\w.]*)")

_NEW_COMMAND = re.compile(r"(?:^|[;|&(\n]|\b(?:then|do|else)\b)\s*\Z")


class Named(NamedTuple):
    """A file that a command names: its path as in `files`, and the place of the name."""

    path: str
    span: Span


def warnings(sweep: Sweep) -> Iterator[Problem]:
    """Yield the warnings about the inputs of a sweep that loads."""
    if sweep.document.key("files") is not None and not sweep.files:
        return
    covered = set(files.paths(sweep))
    if sweep.build is None:  # else the sessions run in a copy of `files`, which lacks all other files
        yield from _uncovered(sweep, covered)
    secret = set() if sweep.secrets.file is None else {os.path.normpath(sweep.secrets.file.value.text)}
    for node in sweep.files:
        yield from _left_out(sweep.folder, node, covered | secret)
    yield from _written(sweep, covered)


def _uncovered(sweep: Sweep, covered: set[str]) -> Iterator[Problem]:
    found: dict[str, Span] = {}
    for name in _read_by(sweep):
        if not _is_covered(sweep.folder, name.path, covered):
            found.setdefault(name.path, name.span)
    missing = list(found)
    listed = [node.value.text for node in sweep.files] + missing
    for path, span in itertools.islice(found.items(), MOST_SHOWN):
        hint = f"write `files: [{', '.join(map(_item, listed))}]`, or `files: []` if no edit matters"
        yield Problem(f"`{path}` is not in `files`: an edit of it runs nothing again", span, hint, "warning")


def _is_covered(folder: Path, path: str, covered: set[str]) -> bool:
    if path in covered or any(other.startswith(f"{path}/") for other in covered):
        return True
    return glob.has_magic(path) and not (folder / path).exists() and covered.issuperset(files.expand(folder, path))


def _item(path: str) -> str:
    return path if re.fullmatch(r"[\w./][\w./+=@-]*", path) else "'" + path.replace("'", "''") + "'"


def _read_by(sweep: Sweep) -> Iterator[Named]:
    """Yield the files of the sweep's folder that `exec` names and does not write."""
    workdir = _constant(sweep.workdir, ".")
    if workdir is None:
        return
    for text, span in _words(sweep):
        if (path := _file_in(sweep.folder, workdir, text)) is not None:
            yield Named(path, span)


def _words(sweep: Sweep) -> Iterator[tuple[str, Span]]:
    """Yield what may name a file that a session reads."""
    for module in sweep.python.preload if sweep.python else ():
        yield from ((name, module.span) for name in _of_module(module.value.text))
    if sweep.code is not None and (key := sweep.document.key("code")):
        yield from ((name, key.span) for name in _imported(sweep.code))
    if sweep.shell is not None:
        text = sweep.shell.text
        for word in _shell_words(text):
            if not word.written:
                yield word.text, place(sweep.source, sweep.shell.node, word.start, word.end)
        for rendered in _shell_texts(sweep, text):
            yield from ((word.text, sweep.shell.node.span) for word in _shell_words(rendered) if not word.written)
        return
    before, shell = "", False
    for number, placed in enumerate(sweep.argv or ()):
        for text in _texts(sweep, placed):
            shell = shell or (number == 0 and _SHELL.match(text) is not None)
            if shell and _SHELL_OPTION.match(before):
                yield from ((word.text, placed.node.span) for word in _shell_words(text) if not word.written)
            elif number > 0 or "/" in text:  # else it is looked for on PATH
                yield from ((name, placed.node.span) for name in _names_in(before, text))
        before = placed.text


def _names_in(before: str, text: str) -> Iterator[str]:
    """Yield what may name a file in an argument, given the one before it."""
    if before == "-m":
        yield from _of_module(text)
    elif before == "-c":
        yield from _imported(text)
    elif not _OUTPUT.fullmatch(before) and not _OUTPUT.match(text):
        yield text
        yield from (text.rpartition(separator)[2] for separator in "=@" if separator in text)


def _of_module(name: str) -> tuple[str, str]:
    path = name.replace(".", "/")
    return f"{path}.py", path


def _imported(code: str) -> Iterator[str]:
    """Yield where the modules that Python code imports would be, were they the user's own."""
    for found in _IMPORT.finditer(code):
        yield from _of_module(found[1])


class _Word(NamedTuple):
    """A word of a shell string, at text[start:end]. written: it is where a redirection, `tee` or an option writes to."""

    text: str
    start: int
    end: int
    written: bool


def _shell_words(text: str) -> Iterator[_Word]:
    """Split a shell string where a shell would in simple cases. Wrong guesses name no file."""
    before = ""
    for found in _WORD.finditer(text):
        word, start = found["word"], found.start("word")
        command = _NEW_COMMAND.search(text, 0, start) is not None
        if not command or "/" in word or "." in word:  # else it is looked for on PATH
            written = found["write"] is not None or bool(_OUTPUT.fullmatch(before)) or bool(_OUTPUT.match(word))
            value = word.rpartition("=")[2]
            for name in (value, *_of_module(word)) if before == "-m" else (value,):
                yield _Word(name, found.end("word") - len(value), found.end("word"), written)
        before = word


def _shell_texts(sweep: Sweep, text: str) -> Iterator[str]:
    """Yield a shell string with the first values of its variables in their places."""
    names = {found[2] for found in _VARIABLE.finditer(text)}.intersection(sweep.space.names)
    if names:
        for values in itertools.islice(sweep.space.projected(names), MOST_VALUES):
            yield _VARIABLE.sub(partial(_value, values), text)


def _value(values: Mapping[str, Value], found: re.Match[str]) -> str:
    return values[found[2]].text if found[2] in values else found[0]


def _texts(sweep: Sweep, placed: Placed) -> Iterator[str]:
    """Yield the first texts that a template has."""
    names = set(placed.template.names)
    if not names:
        yield placed.template.render({})
    elif names <= set(sweep.space.names) and REPEAT not in names:
        for values in itertools.islice(sweep.space.projected(names), MOST_VALUES):
            yield placed.template.render(values)


def _constant(placed: Placed | None, default: str) -> str | None:
    if placed is None:
        return default
    return None if placed.template.names else placed.template.render({})


def _file_in(folder: Path, workdir: str, text: str) -> str | None:
    """Return the path of an existing file below the sweep's folder that is the user's own, as `files` would name it."""
    if not text or "\0" in text or len(text) > 4096:
        return None
    full = os.path.normpath(os.path.join(folder, workdir, text))
    path = os.path.relpath(full, folder).replace(os.sep, "/")
    if leads_out(path) or any(part.startswith(".") for part in path.split("/")):
        return None
    if os.path.isdir(full) and os.path.isfile(os.path.join(full, "__main__.py")):
        return path
    if not os.path.isfile(full):
        has_files = glob.has_magic(path) and any(True for _ in files.expand(folder, path))
        return path if has_files else None
    above = itertools.takewhile(lambda parent: parent != folder, Path(full).parents)
    return None if any((parent / "pyvenv.cfg").exists() for parent in above) else path


def _left_out(folder: Path, node: ScalarNode, covered: set[str]) -> Iterator[Problem]:
    """Yield a warning for hidden files and for links that lead nowhere, in what an entry matches."""
    entry = node.value.text
    if os.path.isfile(folder / entry):
        return
    if "**" in entry and not entry.split("/")[0].strip("*"):
        return  # everything below the sweep's folder, `.venv` included
    hidden = sorted({path for path in files.expand(folder, entry, hidden=True) if _is_hidden(path)} - covered)
    if hidden:
        yield Problem(
            f"hidden files are left out of `{entry}`: {_some(hidden)}",
            node.span,
            f"if a session reads it, add its path: `{_item(hidden[0])}`",
            "warning",
        )
    if os.path.isdir(folder / entry):
        broken = sorted(_broken_links(folder, entry))
        if broken:
            fault = f"links that lead nowhere are left out of `{entry}`: {_some(broken)}"
            yield Problem(fault, node.span, "remove them, or restore what they lead to", "warning")


def _is_hidden(path: str) -> bool:
    parts = path.split("/")
    return any(part.startswith(".") for part in parts) and not any(_is_noise(part) for part in parts)


def _is_noise(part: str) -> bool:
    return (
        part in files.NOISE or part.startswith((".nfs", ".#", "._", ".~")) or (part.startswith(".") and ".sw" in part)
    )


def _broken_links(folder: Path, entry: str) -> Iterator[str]:
    for root, _, names in files.walk(str(folder / entry)):
        for name in names:
            full = os.path.join(root, name)
            if not name.startswith(".") and os.path.islink(full) and not os.path.exists(full):
                yield os.path.relpath(full, folder)


def _some(paths: list[str]) -> str:
    shown = ", ".join(f"`{path}`" for path in paths[:MOST_SHOWN])
    return f"{shown} and {len(paths) - MOST_SHOWN} more" if len(paths) > MOST_SHOWN else shown


def _written(sweep: Sweep, covered: set[str]) -> Iterator[Problem]:
    """Yield a warning for each file that `exec` writes and that is, or would be, one of `files`."""
    workdir = _constant(sweep.workdir, ".")
    if workdir is None or sweep.build is not None:
        return
    for text, span in _outputs(sweep):
        path = os.path.relpath(os.path.normpath(os.path.join(sweep.folder, workdir, text)), sweep.folder).replace(
            os.sep, "/"
        )
        if path in covered or any(_matches(sweep.folder, node.value.text, path) for node in sweep.files):
            fault = f"a session writes `{path}`, which is one of `files`: it ends as `stale`"
            hint = "write it to `$RUNNER_OUTPUT_DIR`, or take it out of `files`"
            yield Problem(fault, span, hint, "warning")


def _outputs(sweep: Sweep) -> Iterator[tuple[str, Span]]:
    if sweep.argv is not None:
        for option, placed in itertools.pairwise(sweep.argv):
            if _OUTPUT.fullmatch(option.text) and not placed.template.names:
                yield placed.template.render({}), placed.node.span
    elif sweep.shell is not None:
        for word in _shell_words(sweep.shell.text):
            if word.written and not word.text.startswith("/dev/"):
                yield word.text, place(sweep.source, sweep.shell.node, word.start, word.end)


def _matches(folder: Path, entry: str, path: str) -> bool:
    """Return whether a file at `path` would be one of the entry's: below its folder, or right where its pattern looks."""
    if leads_out(path) or any(part.startswith(".") for part in path.split("/")):
        return False
    if os.path.isdir(folder / entry):
        top = os.path.normpath(entry)
        return top == "." or path.startswith(f"{top}/")
    head, _, tail = entry.rpartition("/")
    return Path(path).match(tail) and os.path.dirname(path) == head if tail and "*" not in head else False
