"""Templates: text with `$name` and `${name}` in it, parsed once and rendered for every session.

`$$` is a dollar, and a `$` that begins no name stays one. In a shell string each value goes in as the quoting of its
place demands; everywhere else as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.diagnostics import nearest
from runner.model import Value
from runner.template import quoting, shell_lexer
from runner.template.quoting import Place

_DOLLAR = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\}|(\{[^}\n]*\}?))")
_ENVIRONMENT = frozenset(
    [
        "HOME",
        "PATH",
        "USER",
        "PWD",
        "TMPDIR",
        "SHELL",
        "LANG",
        "HOSTNAME",
        "LOGNAME",
        "OLDPWD",
        "EDITOR",
        "UID",
    ]
)
_AS_IS = Place(quoting.raw, quoting.anything, quotable=True)
_LONGEST_SHOWN = 40

REPEAT = "repeat"
"""The variable every template may use: which repetition this is, from 0."""


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """What is wrong with text[start:end] of a template."""

    start: int
    end: int
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's use, as text[start:end]."""

    name: str
    start: int
    end: int
    place: Place = _AS_IS

    @property
    def quotable(self) -> bool:
        """Whether every value may stand here; otherwise `where` says for people where this is."""
        return self.place.quotable

    @property
    def where(self) -> str | None:
        return self.place.where


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and variables by turns. `names` holds each variable once, in order of appearance."""

    parts: tuple[str | Variable, ...]
    shell: bool = False
    names: tuple[str, ...] = field(init=False)
    _pieces: tuple[str | tuple[str, Callable[[str], str]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = dict.fromkeys(part.name for part in self.variables)
        pieces = tuple(part if isinstance(part, str) else (part.name, part.place.write) for part in self.parts)
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "_pieces", pieces)

    @property
    def variables(self) -> list[Variable]:
        return [part for part in self.parts if isinstance(part, Variable)]

    def render(self, params: Mapping[str, Value]) -> str:
        """The text for these values, each of which `faults_for` must have let pass."""
        return "".join([piece if isinstance(piece, str) else piece[1](params[piece[0]].text) for piece in self._pieces])

    @property
    def alone(self) -> str | None:
        """The variable whose text is all of the template, as it is; None if it is not so simple."""
        part = self.parts[0] if len(self.parts) == 1 else None
        return part.name if isinstance(part, Variable) and part.place.write is quoting.raw else None

    def canonical(self) -> list[Any]:
        """Plain JSON data that says what the template is, however it is spelled."""
        return [part if isinstance(part, str) else {"var": part.name} for part in self.parts]

    def longest(self, lengths: Mapping[str, int]) -> int:
        """No rendered text takes more bytes of UTF-8, if no value of NAME takes more than lengths[NAME]."""
        total = 0
        for part in self.parts:
            if isinstance(part, str):
                total += len(part.encode("utf-8", "surrogatepass"))
            else:
                length = lengths[part.name]
                total += length if part.place.write is quoting.raw else quoting.most_bytes(length)
        return total

    def unquotable(self) -> list[Variable]:
        """The uses whose values need a check by `faults_for`."""
        return [variable for variable in self.variables if not variable.quotable]

    def unquotable_names(self) -> tuple[str, ...]:
        """The variables whose values need a check by `faults_for`."""
        return tuple(dict.fromkeys(variable.name for variable in self.unquotable()))

    def faults_for(self, name: str, value: Value) -> list[TemplateFault]:
        """The places of a variable where this value cannot stand."""
        return [
            _misplaced(variable, value)
            for variable in self.unquotable()
            if variable.name == name and not variable.place.admits(value.text)
        ]

    def unknown(self, known: Iterable[str]) -> list[TemplateFault]:
        """A fault for every use of a variable that is neither known nor `repeat`."""
        names = [*known, REPEAT]
        return [self._unknown(variable, names) for variable in self.variables if variable.name not in names]

    def _unknown(self, variable: Variable, known: Sequence[str]) -> TemplateFault:
        literal = f"`$${variable.name}` for "
        literal += "the shell's own variable" if self.shell else f"the text `${variable.name}`"
        near = None if variable.name in _ENVIRONMENT else nearest(variable.name, known)
        if near is None:
            named = "" if variable.name.isupper() else "name it in `ranges`, or "
            hint = f"{named}write {literal}"
        else:
            hint = f"did you mean `${near}`" + (f", or {literal}?" if variable.name.isupper() else "?")
        return TemplateFault(variable.start, variable.end, f"unknown variable `{variable.name}`", hint)


def parse(text: str, *, shell: bool = False) -> tuple[Template, list[TemplateFault]]:
    """The template that a text is, and what is wrong with it; where it is, it is taken literally.

    `shell` says that /bin/sh will read the rendered text.
    """
    parts: list[str | Variable] = []
    faults: list[TemplateFault] = []
    literal, done = "", 0
    for found in _DOLLAR.finditer(text):
        literal += text[done : found.start()]
        done = found.end()
        if found[1]:
            literal += "$"
        elif name := found[2] or found[3]:
            parts += [literal] if literal else []
            parts.append(Variable(name, found.start(), found.end()))
            literal = ""
        else:
            literal += found[0]
            faults.append(_no_name(found, shell=shell))
    literal += text[done:]
    parts += [literal] if literal else []
    return Template(_placed(parts) if shell else tuple(parts), shell), faults


def _placed(parts: Sequence[str | Variable]) -> tuple[str | Variable, ...]:
    places = iter(shell_lexer.places([part if isinstance(part, str) else None for part in parts]))
    return tuple(
        part if isinstance(part, str) else Variable(part.name, part.start, part.end, next(places)) for part in parts
    )


def _no_name(found: re.Match[str], *, shell: bool) -> TemplateFault:
    shown = found[0] if len(found[0]) <= _LONGEST_SHOWN else "${"
    end = found.end() if len(found[0]) <= _LONGEST_SHOWN else found.start() + 2
    purpose = "for the shell to see `${`" if shell else "for the text `${`"
    return TemplateFault(found.start(), end, f"`{shown}` is no variable", f"{purpose} write `$${{`")


def _misplaced(variable: Variable, value: Value) -> TemplateFault:
    shown = value.text if value.text.isprintable() else ascii(value.text)[1:-1]
    shown = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
    if quoting.plain(value.text):
        message = f"the value `{shown}` of `{variable.name}` could change what the shell reads {variable.where}"
    else:
        message = f"the value `{shown}` of `{variable.name}` needs quotes, which it cannot get {variable.where}"
    hint = "write the command as a list, or pass the value by `env` for the shell to read"
    return TemplateFault(variable.start, variable.end, message, hint)


_COMMAND = re.compile(r"-[A-Za-z]*c|--command")
_EVALUATE = re.compile(r"-[A-Za-z]*[eEr]|--eval")
_CODE_OPTION = {
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "python", "pypy"), _COMMAND),
    **dict.fromkeys(("su", "script", "flock"), _COMMAND),
    **dict.fromkeys(("perl", "ruby", "node", "Rscript", "R", "lua", "php"), _EVALUATE),
}
_OPTIONS_ANYWHERE = frozenset(["su", "script", "flock"])
_OPTION_WITH_WORD = re.compile(r"-[A-Za-z]*[oOWXI]|--rcfile|--init-file")


def in_dash_c(argv: Sequence[Template]) -> list[int]:
    """Which elements of a list hold variables in text that a program will read as code: `[sh, -c, "… $x"]`.

    The program may stand behind others (`nice sh -c …`); `ssh` reads everything behind it as code.
    """
    found: list[int] = []
    program = before = ""
    for at, element in enumerate(argv):
        text = element.parts[0] if len(element.parts) == 1 and isinstance(element.parts[0], str) else ""
        name = re.sub(r"[0-9.]+\Z", "", text.rpartition("/")[2])
        if name == "ssh":
            return found + [later for later in range(at + 1, len(argv)) if argv[later].names]
        if name in _CODE_OPTION:
            program = name
        elif program and _CODE_OPTION[program].fullmatch(text):
            program = ""
            found += [at + 1] if at + 1 < len(argv) and argv[at + 1].names else []
        elif not text.startswith("-") and program not in _OPTIONS_ANYWHERE and not _OPTION_WITH_WORD.fullmatch(before):
            program = ""
        before = text
    return found
