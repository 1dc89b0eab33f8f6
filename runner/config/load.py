"""From the text of a sweep file to a checked `Sweep`: all problems of a file at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.config import exec_list, fields, schema
from runner.config.checks import check_values
from runner.config.combinations import Combinations
from runner.config.fields import scalar
from runner.config.names import check_names
from runner.config.report import Report
from runner.config.secrets import Secrets
from runner.config.sweep import Sweep
from runner.config.templates import Templates
from runner.config.whole_params import reads_params
from runner.config.yaml import parse
from runner.diagnostics import InvalidSweep, Source


def load(source: Source, folder: Path) -> Sweep:
    """Return the sweep of a text, which may have warnings. Relative paths start at `folder`.

    Raises InvalidSweep with every problem of the file, in file order.
    """
    document, problems = parse(source)
    if document is None:
        raise InvalidSweep(source, problems)
    accepted, mismatches = schema.check(document)
    report = Report(source, accepted, [*problems, *mismatches])
    sweep = _read(report, folder)
    for problem in check_values(sweep):
        report.add(problem)
    if report.has_errors:
        raise InvalidSweep(source, report.problems)
    return replace(sweep, warnings=tuple(report.problems))


def _read(report: Report, folder: Path) -> Sweep:
    """Read every section of the document; a section with a problem does not stop the others."""
    get = report.document.get
    templates, combinations = Templates(report), Combinations(report)
    argv = templates.list(get("exec"), "exec")
    shell = templates.shell_string(get("exec"), "exec")
    build = templates.shell_string(get("build"), "build")
    workdir = templates.template(get("workdir"), "workdir")
    image = templates.template(get("image"), "image")
    env = templates.mapping("env")
    resources = templates.mapping("resources")
    axes, known = combinations.axes()
    templates.check(known, all_used=reads_params(report.document, folder))
    space = combinations.space(axes)
    for warning in exec_list.warnings(fields.texts(get("exec"))):
        report.add(warning)
    secrets = Secrets.of(get("secrets"), folder)
    mask_logs = scalar(get("mask_logs"))
    check_names(report, secrets.nodes, env.keys(), resources.keys(), known)
    code, name = scalar(get("code")), scalar(get("name"))
    return Sweep(
        source=report.source,
        document=report.document,
        folder=folder,
        name=name.value.text if name else Path(report.source.name.strip("<>")).stem,
        shell=shell,
        argv=argv,
        code=code.value.text if code else None,
        build=build,
        files=fields.texts(get("files")),
        workdir=workdir,
        image=image,
        env=env,
        secrets=secrets,
        mask_logs=mask_logs is not None and mask_logs.value.data is True,
        resources=resources,
        space=space,
        sample=fields.sample(get("sample")),
        repeat=fields.integer(get("repeat")) or 1,
        policy=fields.policy(report),
        capacity=fields.amounts(get("capacity"), report),
        max_parallel=fields.integer(get("max_parallel")),
        metrics=fields.metrics(get("metrics"), report),
        backend=fields.backend(get("backend"), folder),
        python=fields.python(get("python")),
        snapshot=fields.boolean(get("snapshot")),
        warnings=(),
    )
