"""The templates and shell strings of a sweep file, and the variables that they use."""

from __future__ import annotations

from collections.abc import Sequence, Set

from runner.config import placeholders
from runner.config.fields import Placed, entries
from runner.config.report import Report
from runner.config.sweep import REPEAT
from runner.config.yaml.nodes import Node, ScalarNode, SequenceNode, has_refused
from runner.template.shell import ShellScript
from runner.template.template import Template, in_dash_c, parse

TEMPLATED = ("exec", "build", "env", "resources", "workdir", "image")
"""Keys whose values are templates or shell strings."""


class Templates:
    """Reads the templates of a document; then `check` compares their variables with the known ones."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._range_keys = {key.value.text: key for key, _ in entries(report.document.get("ranges"))}
        self._placed: list[Placed] = []
        self._meant: set[str] = set()
        """Variables that are used in the notation of another tool."""

    def template(self, node: Node | None, key: str) -> Placed | None:
        if not isinstance(node, ScalarNode):
            return None
        foreign = self._report_placeholders(node, shell=False)
        parsed, faults = parse(node.value.text)
        for fault in faults:
            if any(start <= fault.start < end for start, end in foreign):
                continue  # `${{ lr }}` is reported as a whole
            self._report.error_in_text(node, fault.start, fault.end, fault.message, fault.hint)
        placed = Placed(parsed, node, key)
        self._placed.append(placed)
        return placed

    def shell_string(self, node: Node | None, key: str) -> Placed | None:
        """Read a string for the shell, which expands the variables of the sweep that it names."""
        if not isinstance(node, ScalarNode):
            return None
        self._report_placeholders(node, shell=True)
        placed = Placed(ShellScript.of(node.value.text, [*self._range_keys, REPEAT]), node, key)
        self._placed.append(placed)
        return placed

    def list(self, node: Node | None, key: str) -> tuple[Placed, ...] | None:
        if not isinstance(node, SequenceNode):
            return None
        return tuple(placed for item in node.items if (placed := self.template(item, key)) is not None)

    def mapping(self, key: str) -> dict[str, Placed]:
        """Read `env` or `resources`: a template for each name."""
        return {
            name.value.text: placed
            for name, node in entries(self._report.document.get(key))
            if (placed := self.template(node, f"{key}.{name.value.text}")) is not None
        }

    def check(self, known: Set[str], *, all_used: bool) -> None:
        """Report variables that are not known, ranges that no template uses, and code in an argument.

        `all_used`: the sessions read every variable in another way.
        """
        used: set[str] = set()
        for placed in self._placed:
            used |= set(placed.template.names)
            if isinstance(placed.template, Template):
                for fault in placed.template.unknown(known):
                    self._report.error_in_text(placed.node, fault.start, fault.end, fault.message, fault.hint)
        if not all_used and not any(has_refused(self._report.document.get(key)) for key in TEMPLATED):
            for name, key in self._range_keys.items():
                if name.isidentifier() and name not in used | self._meant and name != REPEAT:
                    self._report_unused(name, key)
        arguments = [
            placed for placed in self._placed if placed.key == "exec" and isinstance(placed.template, Template)
        ]
        for number in in_dash_c([placed.template for placed in arguments if isinstance(placed.template, Template)]):
            self._report.warning(
                "a variable inside the text of a `-c` argument is read as code by that program",
                arguments[number].node.span,
                "pass it as a separate argument or by `env`",
            )

    def _report_placeholders(self, node: ScalarNode, *, shell: bool) -> Sequence[tuple[int, int]]:
        """Report variables in the notation of another tool; return where they are."""
        text = node.value.text
        places = []
        for found in placeholders.find(text, self._range_keys, shell=shell):
            fault = f"`{found.name}` always has a value" if found.has_default else f"`{found.text}` is not a variable"
            self._report.error_in_text(node, found.start, found.end, fault, f"write `${found.name}`")
            self._meant.add(found.name)
            places.append((found.start, found.end))
        for name in self._range_keys:
            if "-" in name and (start := text.find(f"${name}")) >= 0:
                fault, hint = (
                    f"`-` is not part of the name of a variable: `${name}`",
                    f"write `${name.replace('-', '_')}`",
                )
                self._report.error_in_text(node, start, start + name.index("-") + 1, fault, hint)
        return places

    def _report_unused(self, name: str, key: ScalarNode) -> None:
        for placed in self._placed:
            if placed.key == "exec" and (found := placeholders.bare(placed.text, name)):
                fault = f"`{placed.text[slice(*found)]}` is text here, not the variable"
                self._report.error_in_text(placed.node, *found, fault, f"write `${name}`")
                return
        hint = f"write `${name}` in `exec`, or `env: {{{name}: ${name}}}`; to run the same again, `repeat: N`"
        if self._report.document.get("code") is not None:
            hint = f'`code` is not a template: write `env: {{{name}: ${name}}}` and read `os.environ["{name}"]`'
        self._report.error(f"`{name}` is not used", key.span, hint)
