"""Warnings about an `exec` list that was written as if a shell read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runner.config.yaml.nodes import ScalarNode
from runner.diagnostics import Problem
from runner.text.shorten import excerpt

_OPERATORS = frozenset(("|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>", "|&"))
_REDIRECTION = re.compile(r"[0-9&]?>>?[A-Za-z_./~][\w./~-]*\Z|</?[\w.-]+/[\w./-]*\Z")
_SUBSTITUTION = re.compile(r"\$?\$\(.*\)\Z|`[^`]+`\Z", re.S)
_OPTION_AND_VALUE = re.compile(r"(--?[A-Za-z][\w-]*)\s+(\S.*)\Z", re.S)
_DASH = re.compile("[\u2010-\u2015\u2212]{1,2}[A-Za-z]")
_ENVIRONMENT = re.compile(r"\$(\$\{?[A-Z][A-Z0-9_]*\}?)(?:/.*)?\Z")
_PATTERN = re.compile(r"[\w./-]*(?:[*?]|\[\w+\])[\w./*?-]*\.\w+\Z|[\w.-]+/(?:[\w.-]+/)*\*\Z")


def warnings(arguments: Sequence[ScalarNode]) -> Iterator[Problem]:
    """Yield a warning for each argument that only a shell would interpret."""
    if len(arguments) == 1 and re.search(r"\S\s+\S", arguments[0].value.text):
        fault = (
            f"a list is the program and its arguments: this is a program called `{excerpt(arguments[0].value.text)}`"
        )
        yield Problem(fault, arguments[0].span, "write each argument as an item, or remove the `[ ]`", "warning")
    elif arguments and re.match(r"[\w.-]+\s+\S", program := arguments[0].value.text):
        fault = f"a list is the program and its arguments: this is a program called `{excerpt(program)}`"
        yield Problem(fault, arguments[0].span, "write each argument as an item", "warning")
    before = ""
    for node in arguments[1:]:
        text = node.value.text
        if found := _ENVIRONMENT.match(text):
            fault = f"a list has no shell: this is the text `{found[1]}`"
            hint = "write `exec` as a string, or read the variable in the program"
            yield Problem(fault, node.span, hint, "warning")
        elif text in _OPERATORS or _REDIRECTION.match(text) or _SUBSTITUTION.match(text):
            shown = excerpt(text.replace("$$", "$"))
            fault = f"a list has no shell: `{shown}` is passed to the program as an argument"
            yield Problem(fault, node.span, "write `exec` as a string", "warning")
        elif text == "~" or text.startswith("~/") or (_PATTERN.match(text) and not before.startswith("-")):
            fault = f"a list has no shell: `{excerpt(text)}` is passed to the program as it is"
            hint = "write the path in full" if text.startswith("~") else "write `exec` as a string"
            yield Problem(fault, node.span, hint, "warning")
        elif found := _OPTION_AND_VALUE.match(text):
            fault = f"`{excerpt(text)}` is one argument, with a space in it"
            yield Problem(fault, node.span, f"write two items: `{found[1]}, {excerpt(found[2])}`", "warning")
        elif found := _DASH.match(text):
            fault = f"`{text[0]}` is a dash, not the `-` of an option"
            yield Problem(fault, node.span, f"write `--{text.lstrip(text[0])}`", "warning")
        before = text
