"""From a parsed document to a `Sweep`: every section, and what the sections owe each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from runner.config import exec_list, fields, placeholders
from runner.config.fields import Placed, Sample, scalar
from runner.config.reserved import TAKEN
from runner.config.sweep import REPEAT, Sweep
from runner.config.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode, has_refused, place
from runner.diagnostics import Problem, Source, Span, did_you_mean
from runner.model import Policy
from runner.space.axis import Axis, Condition
from runner.space.ranges import Range
from runner.space.space import Space
from runner.template.shell import ShellScript
from runner.template.template import Template, TemplateFault, in_dash_c
from runner.units import counted

TEMPLATED = ("exec", "build", "env", "resources", "workdir", "image")
"""Keys whose values are templates."""

KNOWN_RESOURCES = ("cpu", "mem", "gpu")
RESOURCE_ALIASES = {"memory": "mem", "ram": "mem", "cores": "cpu", "cpus_per_task": "cpu"}


class Reader:
    """One pass over the document; every section reports what is wrong and the others go on."""

    def __init__(self, source: Source, document: MappingNode, problems: list[Problem]) -> None:
        self.source = source
        self.document = document
        self.problems = problems
        self.placed: list[Placed] = []
        self.meant: set[str] = set()
        """Variables that a placeholder of another notation means."""

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def add(self, problem: Problem) -> None:
        """One fault a place: what has been said of a part of it already is not said again in other words."""
        if not any(known.severity == "error" and _inside(known.span, problem.span) for known in self.problems):
            self.problems.append(problem)

    def report(self, message: str, span: Span, hint: str | None = None) -> None:
        self.add(Problem(message, span, hint))

    def warn(self, message: str, span: Span, hint: str | None = None) -> None:
        self.add(Problem(message, span, hint, "warning"))

    def fault(self, node: ScalarNode, fault: TemplateFault) -> None:
        self.report(fault.message, place(self.source, node, fault.start, fault.end), fault.hint)

    def template(self, node: Node | None, key: str) -> Placed | None:
        if not isinstance(node, ScalarNode):
            return None
        self.report_placeholders(node, shell=False)
        placed = fields.template(node, key, self.fault)
        self.placed.append(placed)
        return placed

    def shell_script(self, node: Node | None, key: str) -> Placed | None:
        """A string for the shell, which expands the variables of the sweep that it names."""
        if not isinstance(node, ScalarNode):
            return None
        self.report_placeholders(node, shell=True)
        placed = Placed(ShellScript.of(node.value.text, [*self.range_keys, REPEAT]), node, key)
        self.placed.append(placed)
        return placed

    @property
    def range_keys(self) -> dict[str, ScalarNode]:
        return {key.value.text: key for key, _ in fields.entries(self.document.get("ranges"))}

    def report_placeholders(self, node: ScalarNode, *, shell: bool) -> None:
        """Report the variables that are written as in other tools."""
        text = node.value.text
        for found in placeholders.find(text, self.range_keys, shell=shell):
            fault = f"`{found.name}` always has a value" if found.has_default else f"`{found.text}` is not a variable"
            span = place(self.source, node, found.start, found.end)
            self.report(fault, span, f"write `${found.name}`")
            self.meant.add(found.name)
        for name in self.range_keys:
            if "-" in name and (start := text.find(f"${name}")) >= 0:
                span = place(self.source, node, start, start + name.index("-") + 1)
                self.report(
                    f"`-` is not part of the name of a variable: `${name}`", span, f"write `${name.replace('-', '_')}`"
                )

    def read(self, folder: Path) -> Sweep:
        get = self.document.get
        command = get("exec")
        argv: tuple[Placed, ...] | None = None
        if isinstance(command, SequenceNode):
            argv = tuple(placed for item in command.items if (placed := self.template(item, "exec")) is not None)
        shell = self.shell_script(command, "exec")
        code = scalar(get("code"))
        build = self.shell_script(get("build"), "build")
        workdir = self.template(get("workdir"), "workdir")
        image = self.template(get("image"), "image")
        env = self.mapping("env")
        resources = self.mapping("resources")
        axes, known = self.axes()
        self.references(known)
        space = self.combinations(axes)
        if isinstance(command, SequenceNode):
            for warning in exec_list.warnings(fields.texts(command)):
                self.add(warning)
        if argv is not None:
            for at in in_dash_c([placed.template for placed in argv if isinstance(placed.template, Template)]):
                self.warn(
                    "a variable inside the text of a `-c` argument is read as code by that program",
                    argv[at].node.span,
                    "pass it as an argument of its own or by `env`",
                )
        self.names(set(env), set(resources), known)
        if build is not None and get("files") is None:
            self.report(
                "`build` needs `files`",
                self.key_span("build"),
                "list what the build reads: `files: [main.c]`",
            )
        repeat = scalar(get("repeat"))
        name = scalar(get("name"))
        return Sweep(
            source=self.source,
            document=self.document,
            folder=folder,
            name=name.value.text if name else Path(self.source.name.strip("<>")).stem,
            shell=shell,
            argv=argv,
            code=code.value.text if code else None,
            build=build,
            files=fields.texts(get("files")),
            workdir=workdir,
            image=image,
            env=env,
            secrets=tuple(node.value.text for node in fields.texts(get("secrets"))),
            resources=resources,
            space=space,
            sample=self.sample(),
            repeat=repeat.value.data if repeat and isinstance(repeat.value.data, int) else 1,
            policy=self.policy(),
            capacity=fields.amounts(get("capacity"), self.report),
            max_parallel=self.integer(get("max_parallel")),
            metrics=fields.metrics(get("metrics"), self.report),
            backend=fields.backend(get("backend"), folder),
            python=fields.python(get("python")),
            warnings=(),
        )

    def names(self, env: set[str], resources: set[str], variables: set[str]) -> None:
        """Names that would silently mean something else, or nothing."""
        for secret in fields.texts(self.document.get("secrets")):
            if secret.value.text in env:
                self.report(f"`{secret.value.text}` is in `env` and in `secrets`", secret.span, "remove one of them")
        for key, _ in fields.entries(self.document.get("env")):
            if key.value.text.startswith("RUNNER_"):
                self.report(
                    f"runner sets `{key.value.text}` itself", key.span, "names that begin with RUNNER_ are reserved"
                )
        for key, _ in fields.entries(self.document.get("metrics")):
            if key.value.text in variables:
                self.report(f"`{key.value.text}` is a variable and a metric", key.span, "give the metric another name")
            elif key.value.text in TAKEN:
                fault = f"`{key.value.text}` is already a column of `runner results`"
                self.warn(fault, key.span, f"the column of the metric is `metrics.{key.value.text}`")
        limited = {key.value.text: key for key, _ in fields.entries(self.document.get("capacity"))}
        for name in limited.keys() - resources - set(KNOWN_RESOURCES):
            if hint := did_you_mean(name, KNOWN_RESOURCES, RESOURCE_ALIASES):
                self.report(f"no session uses the resource `{name}`", limited[name].span, hint)
        for key, _ in fields.entries(self.document.get("resources")):
            name = key.value.text
            if name in KNOWN_RESOURCES or name in limited:
                continue
            if hint := did_you_mean(name, KNOWN_RESOURCES, RESOURCE_ALIASES):
                self.report(f"unknown resource `{name}`", key.span, f"{hint} If not, add it to `capacity`")
            elif name in resources:
                self.warn(
                    f"`{name}` has no limit", key.span, f"write how much there is, such as `capacity: {{{name}: 4}}`"
                )

    def integer(self, node: Node | None) -> int | None:
        found = scalar(node)
        return found.value.data if found and isinstance(found.value.data, int) else None

    def key_span(self, key: str) -> Span:
        node = self.document.key(key)
        return node.span if node else self.document.span

    def mapping(self, key: str) -> dict[str, Placed]:
        """`env` or `resources`: a template for each name."""
        return {
            name.value.text: placed
            for name, node in fields.entries(self.document.get(key))
            if (placed := self.template(node, f"{key}.{name.value.text}")) is not None
        }

    def sample(self) -> Sample | None:
        node = self.document.get("sample")
        found = {key.value.text: self.integer(value) for key, value in fields.entries(node)}
        size = found.get("size")
        return None if size is None else Sample(size, found.get("seed") or 0)

    def policy(self) -> Policy:
        get = self.document.get
        default = Policy()
        grace = fields.duration(get("grace"), self.report)
        return Policy(
            timeout=fields.duration(get("timeout"), self.report),
            grace=default.grace if grace is None else grace,
            retry=fields.retry(get("retry"), self.report),
            stop=fields.stop(get("stop")),
        )

    def axes(self) -> tuple[list[Axis], set[str]]:
        """The axes in file order, zipped ones at the place of their first, and every variable the file knows."""
        nodes = {key.value.text: (key, node) for key, node in fields.entries(self.document.get("ranges"))}
        ranges = {
            name: found
            for name, (_, node) in nodes.items()
            if (found := fields.one_range(node, self.report, self.warn))
        }
        group_of = {name: group for group in self.zips(set(nodes), ranges) for name in group}
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
            if duplicates:
                what = "value" if group is None else "row"
                self.warn(
                    f"`{'`, `'.join(axes[-1].names)}` has {counted(duplicates, what)} more than once;"
                    " equal sessions run once",
                    nodes[name][0].span,
                    "for repetitions write `repeat: N`",
                )
        return axes, set(nodes) | {REPEAT}

    def zips(self, known: set[str], ranges: Mapping[str, Range]) -> list[tuple[str, ...]]:
        """The groups of `zip` that are sound. Reports the others."""
        sound: list[tuple[str, ...]] = []
        used: set[str] = set()
        for group in fields.items(self.document.get("zip")):
            members = fields.texts(group)
            names = tuple(member.value.text for member in members)
            fine = len(names) > 1
            for member in members:
                name = member.value.text
                if name not in known:
                    self.unknown(member, known)
                elif name in used:
                    self.report(f"`{name}` is zipped twice", member.span)
                fine = fine and name in ranges and name not in used
                used.add(name)
            if not fine:
                continue
            lengths = {name: ranges[name].given_count for name in names}
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"`{name}` has {count}" for name, count in lengths.items())
                self.report(
                    f"zipped ranges differ in length: {shown}",
                    group.span,
                    "give them the same number of values",
                )
            else:
                sound.append(names)
        return sound

    def unknown(self, node: ScalarNode, known: Iterable[str]) -> None:
        hint = did_you_mean(node.value.text, known) or "add it to `ranges`"
        self.report(f"unknown variable `{node.value.text}`", node.span, hint)

    def references(self, known: set[str]) -> None:
        """Every name in a template must be known, and every range must serve some template."""
        used: set[str] = set()
        for placed in self.placed:
            used |= set(placed.template.names)
            if isinstance(placed.template, Template):
                for fault in placed.template.unknown(known):
                    self.fault(placed.node, fault)
        if any(has_refused(self.document.get(key)) for key in TEMPLATED):
            return
        for name, key in self.range_keys.items():
            if name.isidentifier() and name not in used | self.meant and name != REPEAT:
                self.unused(name, key)

    def unused(self, name: str, key: ScalarNode) -> None:
        for placed in self.placed:
            if placed.key == "exec" and (found := placeholders.bare(placed.text, name)):
                span = place(self.source, placed.node, *found)
                fault = f"`{placed.text[slice(*found)]}` is text here, not the variable"
                self.report(fault, span, f"write `${name}`")
                return
        hint = f"write `${name}` in `exec`, or `env: {{{name}: ${name}}}`; to run the same again, `repeat: N`"
        if self.document.get("code") is not None:
            hint = f'`code` is not a template: write `env: {{{name}: ${name}}}` and read `os.environ["{name}"]`'
        self.report(f"`{name}` is not used", key.span, hint)

    def combinations(self, axes: list[Axis]) -> Space:
        """The space of the sweep, its exclusions and inclusions checked against the ranges."""
        known = {name for axis in axes for name in axis.names}
        exclude = self.conditions("exclude", known)
        include = self.conditions("include", known)
        space = Space(tuple(axes), tuple(entry for entry, _ in exclude), tuple(entry for entry, _ in include))
        if self.has_errors:
            return space
        for at, (_, node) in enumerate(exclude):
            if space.removes_nothing(at):
                self.report(
                    "this excludes nothing: no combination has all of these values",
                    node.span,
                    "numbers are compared as numbers, everything else as text",
                )
        if exclude and space.product_count == 0:
            self.report("`exclude` leaves no combination", self.key_span("exclude"))
        for duplicates, (_, node) in zip(space.duplicates, include, strict=True):
            if duplicates:
                self.warn(
                    f"this `include` adds {counted(duplicates, 'session')} that the sweep already has;"
                    " equal sessions run once",
                    node.span,
                )
        return space

    def conditions(self, key: str, known: set[str]) -> list[tuple[Condition, MappingNode]]:
        found = fields.conditions(self.document.get(key))
        names = {name.value.text for name, _ in fields.entries(self.document.get("ranges"))}
        for _, node in found:
            for name, _ in node.entries:
                if name.value.text not in names:
                    self.unknown(name, names)
        return [(condition, node) for condition, node in found if condition.keys() <= known]


def _inside(part: Span | None, whole: Span | None) -> bool:
    if part is None or whole is None:
        return False
    begins = (whole.line, whole.column) <= (part.line, part.column)
    return begins and (part.end_line, part.end_column) <= (whole.end_line, whole.end_column)
