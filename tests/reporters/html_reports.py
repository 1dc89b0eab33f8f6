"""Made-up sweeps and their reports."""

from __future__ import annotations

import re
from pathlib import Path

from runner.config.load import load
from runner.diagnostics import Source
from runner.model import Session
from runner.plan.plan import Plan
from runner.reporters.html.chart_choice import Chart, choose
from runner.reporters.html.dataset import Dataset
from runner.reporters.html.report import ReportData, read_report
from runner.state import open_for_reading
from tests.journalled import BEGIN, Ending

Report = tuple[ReportData, Dataset, Chart]


def sweep_of(folder: Path, ranges: str, more: str = "") -> Plan:
    names = re.findall(r"(\w+): ?[\[{\"r]", ranges)
    text = (
        f"exec: [true, {', '.join(f'${name}' for name in names)}]\nranges: {{{ranges}}}\n"
        f"metrics: {{loss: {{last_line: loss}}}}\n{more}"
    )
    return Plan.of(load(Source("sweep.yaml", text), folder))


def report_of(plan: Plan, folder: Path) -> Report:
    with open_for_reading(folder, plan.sweep.name) as state:
        report = read_report(plan, state, "sweep.yaml", None, BEGIN + 1000, "0.1.0")
    return report, report.dataset, choose(report.dataset, report.axes)


def loss(session: Session) -> Ending:
    return Ending(metrics={"loss": session.index * 0.5})
