"""The combinations of a sweep file: `ranges`, `zip`, `exclude` and `include` as a Space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.config import fields
from runner.config.inclusions import Inclusions
from runner.config.report import Report
from runner.config.sweep import REPEAT
from runner.config.yaml.nodes import MappingNode, ScalarNode
from runner.diagnostics import Span, did_you_mean
from runner.space.axis import Axis, Condition
from runner.space.ranges import Range
from runner.space.space import Space
from runner.units import counted


class Combinations:
    """Reads the variables of a document and their combinations."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def axes(self) -> tuple[list[Axis], set[str]]:
        """Return the axes in file order, a zipped one in the place of its first range, and every known variable."""
        nodes = {key.value.text: (key, node) for key, node in fields.entries(self._report.document.get("ranges"))}
        ranges = {name: found for name, (_, node) in nodes.items() if (found := fields.one_range(node, self._report))}
        group_of = {name: group for group in self._zips(set(nodes), ranges) for name in group}
        axes: list[Axis] = []
        for name, found in ranges.items():
            group = group_of.get(name)
            if group is None:
                axes.append(Axis((name,), found))
                duplicates = found.duplicates
            elif name == group[0]:
                axes.append(Axis.zipped(group, [ranges[member].given() for member in group]))
                duplicates = found.given_count - axes[-1].count
            else:
                continue
            for member in axes[-1].names:
                self._warn_of_spellings(member, ranges[member], nodes[member][0].span)
            if duplicates:
                what = "value" if group is None else "row"
                self._report.warning(
                    f"`{'`, `'.join(axes[-1].names)}` has {counted(duplicates, what)} more than once;"
                    " equal sessions run once",
                    nodes[name][0].span,
                    "for repetitions write `repeat: N`",
                )
        return axes, set(nodes) | {REPEAT}

    def _warn_of_spellings(self, name: str, values: Range, span: Span) -> None:
        """Warn if one number of a range has two texts: it makes two sessions that numbers do not tell apart."""
        pair = values.two_spellings()
        if pair is not None:
            one, other = pair
            self._report.warning(
                f"`{one.text}` and `{other.text}` of `{name}` are one number, which makes two sessions; `exclude`,"
                " `--select` and JSON take them as equal",
                span,
                f'write the number once; if text is meant, quote it: `"{other.text}"`',
            )

    def _zips(self, known: set[str], ranges: Mapping[str, Range]) -> list[tuple[str, ...]]:
        """Return the valid groups of `zip`, and report the others."""
        valid: list[tuple[str, ...]] = []
        used: set[str] = set()
        for group in fields.items(self._report.document.get("zip")):
            members = fields.texts(group)
            names = tuple(member.value.text for member in members)
            is_valid = len(names) > 1
            for member in members:
                name = member.value.text
                if name not in known:
                    self._unknown(member, known)
                elif name in used:
                    self._report.error(f"`{name}` is in `zip` twice", member.span)
                is_valid = is_valid and name in ranges and name not in used
                used.add(name)
            if not is_valid:
                continue
            lengths = {name: ranges[name].given_count for name in names}
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"`{name}` has {count}" for name, count in lengths.items())
                self._report.error(
                    f"zipped ranges differ in length: {shown}",
                    group.span,
                    "give them the same number of values",
                )
            else:
                valid.append(names)
        return valid

    def _unknown(self, node: ScalarNode, known: Iterable[str]) -> None:
        hint = did_you_mean(node.value.text, known) or "add it to `ranges`"
        self._report.error(f"unknown variable `{node.value.text}`", node.span, hint)

    def space(self, axes: list[Axis]) -> Space:
        """Return the space, after `exclude` and `include` are checked against the ranges."""
        known = {name for axis in axes for name in axis.names}
        exclude = self._conditions("exclude", known)
        include = Inclusions(self._report, axes).conditions(self._conditions("include", known))
        space = Space(tuple(axes), tuple(entry for entry, _ in exclude), tuple(entry for entry, _ in include))
        if self._report.has_errors:
            return space
        for at, (_, node) in enumerate(exclude):
            if space.removes_nothing(at):
                self._report.error(
                    "this excludes nothing: no combination has all of these values",
                    node.span,
                    "numbers are compared as numbers, everything else as text",
                )
        if exclude and space.product_count == 0:
            self._report.error("`exclude` leaves no combination", self._report.key_span("exclude"))
        repeated: dict[Span, int] = {}
        for duplicates, (_, node) in zip(space.duplicates, include, strict=True):
            repeated[node.span] = repeated.get(node.span, 0) + duplicates
        for span, duplicates in repeated.items():
            if duplicates:
                self._report.warning(
                    f"this `include` adds {counted(duplicates, 'session')} that the sweep already has;"
                    " equal sessions run once",
                    span,
                )
        return space

    def _conditions(self, key: str, known: set[str]) -> list[tuple[Condition, MappingNode]]:
        found = fields.conditions(self._report.document.get(key))
        names = {name.value.text for name, _ in fields.entries(self._report.document.get("ranges"))}
        for _, node in found:
            for name, _ in node.entries:
                if name.value.text not in names:
                    self._unknown(name, names)
        return [(condition, node) for condition, node in found if condition.keys() <= known]
