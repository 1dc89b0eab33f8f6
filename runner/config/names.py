"""Names in a sweep file that would have another effect than their author expects, or none."""

from __future__ import annotations

from collections.abc import Iterable, Set

from runner.config import fields
from runner.config.report import Report
from runner.config.reserved import TAKEN
from runner.config.yaml.nodes import ScalarNode
from runner.diagnostics import did_you_mean

KNOWN_RESOURCES = ("cpu", "mem", "gpu")
RESOURCE_ALIASES = {"memory": "mem", "ram": "mem", "cores": "cpu", "cpus_per_task": "cpu"}


def check_names(
    report: Report, secrets: Iterable[ScalarNode], env: Set[str], resources: Set[str], variables: Set[str]
) -> None:
    """Report names that are reserved, given twice, or resources without a limit."""
    for secret in secrets:
        if secret.value.text in env:
            report.error(f"`{secret.value.text}` is in `env` and in `secrets`", secret.span, "remove one of them")
    for key, _ in fields.entries(report.document.get("env")):
        if key.value.text.startswith("RUNNER_"):
            report.error(
                f"runner sets `{key.value.text}` itself", key.span, "names that begin with RUNNER_ are reserved"
            )
    for key, _ in fields.entries(report.document.get("metrics")):
        if key.value.text in variables:
            report.error(f"`{key.value.text}` is a variable and a metric", key.span, "give the metric another name")
        elif key.value.text in TAKEN:
            fault = f"`{key.value.text}` is already a column of `runner results`"
            report.warning(fault, key.span, f"the column of the metric is `metrics.{key.value.text}`")
    limited = {key.value.text: key for key, _ in fields.entries(report.document.get("capacity"))}
    for name in limited.keys() - resources - set(KNOWN_RESOURCES):
        if hint := did_you_mean(name, KNOWN_RESOURCES, RESOURCE_ALIASES):
            report.error(f"no session uses the resource `{name}`", limited[name].span, hint)
    for key, _ in fields.entries(report.document.get("resources")):
        name = key.value.text
        if name in KNOWN_RESOURCES or name in limited:
            continue
        if hint := did_you_mean(name, KNOWN_RESOURCES, RESOURCE_ALIASES):
            report.error(f"unknown resource `{name}`", key.span, f"{hint} If not, add it to `capacity`")
        elif name in resources:
            report.warning(
                f"`{name}` has no limit", key.span, f"write how much there is, such as `capacity: {{{name}: 4}}`"
            )
