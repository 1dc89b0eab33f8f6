"""Templates: text with `$name` and `${name}` in it, parsed once and rendered for every session.

`$$` is a dollar, and a `$` that begins no name stays a dollar. Strings for the shell are no templates: see `shell`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.diagnostics import nearest
from runner.model import Value

_DOLLAR = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\}|(\{[^}\n]*\}?))")
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


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and variables by turns. `names` holds each variable once, in order of appearance."""

    parts: tuple[str | Variable, ...]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(dict.fromkeys(part.name for part in self.variables)))

    @property
    def variables(self) -> list[Variable]:
        return [part for part in self.parts if isinstance(part, Variable)]

    def render(self, params: Mapping[str, Value]) -> str:
        """The text for these values."""
        return "".join([part if isinstance(part, str) else params[part.name].text for part in self.parts])

    @property
    def alone(self) -> str | None:
        """The variable that is the whole template; None if there is anything else in it."""
        part = self.parts[0] if len(self.parts) == 1 else None
        return part.name if isinstance(part, Variable) else None

    def canonical(self) -> list[Any]:
        """Plain JSON data for the session's identity; `$x` and `${x}` are the same in it."""
        return [part if isinstance(part, str) else {"var": part.name} for part in self.parts]

    def longest(self, lengths: Mapping[str, int]) -> int:
        """An upper bound of the bytes of a rendered text, if no value of NAME takes more than lengths[NAME]."""
        return sum(
            len(part.encode("utf-8", "surrogatepass")) if isinstance(part, str) else lengths[part.name]
            for part in self.parts
        )

    def unknown(self, known: Iterable[str]) -> list[TemplateFault]:
        """A fault for every use of a variable that is neither known nor `repeat`."""
        names = [*known, REPEAT]
        return [_unknown(variable, names) for variable in self.variables if variable.name not in names]


def parse(text: str) -> tuple[Template, list[TemplateFault]]:
    """The template of a text, and what is wrong with it; a faulty part is taken literally."""
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
            faults.append(_bad_brace(found))
    literal += text[done:]
    parts += [literal] if literal else []
    return Template(tuple(parts)), faults


def _unknown(variable: Variable, known: Sequence[str]) -> TemplateFault:
    name = variable.name
    near = None if name in _ENVIRONMENT else did_you_mean(name, known)
    if near is not None:
        hint = near
    elif name.isupper():
        hint = (
            "no shell expands this: write `exec` as a string, or read the variable in the program;"
            f" `$${name}` is the text `${name}`"
        )
    else:
        hint = f"name it in `ranges`; for the text `${name}` write `$${name}`"
    return TemplateFault(variable.start, variable.end, f"unknown variable `{name}`", hint)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the hint for an unknown `$name`: a known name with text behind it, as in `$model_`, or a similar name."""
    known = list(known)
    begun = max((one for one in known if re.fullmatch(rf"{re.escape(one)}[_0-9].*", name)), key=len, default=None)
    if begun is not None:
        return f"write `${{{begun}}}{name.removeprefix(begun)}` if the variable is `{begun}`"
    near = nearest(name, known)
    return f"did you mean `${near}`?" if near else None


_ENVIRONMENT = frozenset(["HOME", "PATH", "USER", "PWD", "TMPDIR", "SHELL", "LANG", "HOSTNAME", "LOGNAME", "UID"])
"""Variables of every environment: a name of `ranges` that resembles one is not suggested for it."""


def _bad_brace(found: re.Match[str]) -> TemplateFault:
    shown = found[0] if len(found[0]) <= _LONGEST_SHOWN else "${"
    end = found.end() if len(found[0]) <= _LONGEST_SHOWN else found.start() + 2
    hint = "a variable is `$name` or `${name}`; for the text `${` write `$${`"
    return TemplateFault(found.start(), end, f"`{shown}` is not a variable", hint)


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
