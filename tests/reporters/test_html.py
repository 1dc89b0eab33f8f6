"""The report as text: which plot it draws, how it lays out time, and that nothing in it is more than text."""

from __future__ import annotations

import html
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import altair
import pytest
import vl_convert

from runner.config.load import load
from runner.diagnostics import Source
from runner.model import Outcome, Session
from runner.plan.plan import Plan
from runner.reporters.html import bundle, gantt, sections, timeline, vega_lite
from runner.reporters.html.chart_choice import Chart, choose
from runner.reporters.html.data import Material, gather
from runner.reporters.html.dataset import Field, Sheet, sheet
from runner.reporters.html.html import data_block, escaped, tag
from runner.reporters.html.page import render
from runner.reporters.progress.snapshot import take_snapshot
from runner.results.columns import number
from runner.state import open_for_reading, open_for_writing
from runner.state.merge.files import merge
from runner.state.rows import AttemptRow
from tests.facts import apply_ended, apply_started
from tests.journalled import BEGIN, Told, apply_as_told
from tests.reporters.test_streams import shell

Made = tuple[Material, Sheet, Chart]


def swept(folder: Path, ranges: str, more: str = "") -> Plan:
    names = re.findall(r"(\w+): ?[\[{\"r]", ranges)
    text = (
        f"exec: [true, {', '.join(f'${name}' for name in names)}]\nranges: {{{ranges}}}\n"
        f"metrics: {{loss: {{last_line: loss}}}}\n{more}"
    )
    return Plan.of(load(Source("sweep.yaml", text), folder))


def reported(plan: Plan, folder: Path) -> Made:
    with open_for_reading(folder, plan.sweep.name) as state:
        material = gather(plan, state, "sweep.yaml", None, BEGIN + 1000, "0.1.0")
    rows = sheet(material.rows, material.columns)
    return material, rows, choose(rows, material.axes)


def loss(session: Session) -> Told:
    return Told(metrics={"loss": session.index * 0.5})


CASES = {
    "line": ('lr: "geomspace:1e-4,1,5"', "repeat: 3", ["lr"]),
    "lines": ("opt: [adam, sgd], x: [1, 2, 3]", "", ["x", "opt"]),
    "heatmap": ("a: [1, 2, 3], b: [1, 2], seed: [0, 1]", "", ["a", "b"]),
    "scatter": ('a: "range:50", b: "range:50"', "sample: {size: 30}", ["a", "b"]),
    "bars": ("opt: [adam, sgd, lion], random_seed: [0, 1]", "", ["opt"]),
    "grouped-bars": ("opt: [adam, sgd], data: [x, y, z]", "", ["data", "opt"]),
    "parallel": ('a: [1, 2], b: "range:60", c: [x, y], d: [5]', "sample: {size: 80}", ["a", "b", "c"]),
    "strip": ("seed: [3, 1, 2]", "repeat: 2", ["seed"]),
    "none": ("a: [1]", "", []),
}


@pytest.mark.parametrize("kind", CASES)
def test_the_plot_fits_what_varies(tmp_path: Path, kind: str) -> None:
    ranges, more, over = CASES[kind]
    plan = swept(tmp_path, ranges, more)
    apply_as_told(plan, tmp_path, loss)
    _, rows, chart = reported(plan, tmp_path)
    assert (chart.kind, [one.field.label for one in chart.over]) == (kind, over)
    for field in rows.of_kind("metric", "measured"):
        spec = vega_lite.spec(chart, field)
        assert (spec is None) == (kind == "none")
        if spec is not None:
            altair.Chart.from_dict(spec, validate=True)


@pytest.mark.parametrize(
    ("ranges", "more", "kind", "label"),
    [
        ("a: [1, 2, 3], b: [4, 5, 6]", "zip: [[a, b]]", "line", "a, b"),
        ("model: [s, m, l], width: [1, 2, 3]", "zip: [[model, width]]", "bars", "model, width"),
        ("a: [1, two, 3]", "", "bars", "a"),
        ("a: [1, 010, 1.0]", "", "line", "a"),
        ("opt: [a, b, c, d, e, f, g, h], x: [1, 2]", "", "parallel", "opt"),
    ],
)
def test_variables_that_vary_together_are_one_and_text_is_no_number(
    tmp_path: Path, ranges: str, more: str, kind: str, label: str
) -> None:
    plan = swept(tmp_path, ranges, more)
    apply_as_told(plan, tmp_path, loss)
    _, rows, chart = reported(plan, tmp_path)
    assert (chart.kind, chart.over[0].label) == (kind, label)
    json.dumps(rows.to_json(), allow_nan=False)


def test_without_a_number_there_is_no_plot_of_a_metric(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1, 2]")
    apply_as_told(plan, tmp_path, lambda session: Told(metrics={"loss": "nan" if session.index else None}))
    material, rows, chart = reported(plan, tmp_path)
    (field,) = rows.of_kind("metric")
    assert vega_lite.spec(chart, field) is None
    page = render(material, "")
    assert "1 missing, 1 no number, as `nan`" in page
    assert [row[rows.fields.index(field)] for row in rows.cells] == [None, "nan"]


def drawn(rows: Sheet, chart: Chart, metric: Field, width: int) -> str:
    """As SVG, by Vega itself."""
    records = [
        {
            field.key: (number(field.values[cell]) if field.numeric else field.values[cell].text)
            if field.coded
            else cell
            for field, cell in zip(rows.fields, cells, strict=True)
        }
        for cells in rows.cells
    ]
    spec = {**(vega_lite.spec(chart, metric) or {}), "width": width, "datasets": {"sessions": records}}
    return str(vl_convert.vegalite_to_svg(spec, vl_version=bundle.VEGA_LITE))


@pytest.mark.parametrize(
    ("ranges", "texts"),
    [
        ("a: [0.0001, 32, 2048]", {"0.0001", "32", "2,048"}),
        ("a: [2048, 65536], b: [0.25, 100000]", {"2,048", "65,536", "0.25", "100,000", "12,345"}),
        ("a: [2048, 65536], b: [1, 2], c: [x, y]", {"2048", "65536", "x"}),
    ],
)
def test_numbers_read_as_people_write_them(tmp_path: Path, ranges: str, texts: set[str]) -> None:
    plan = swept(tmp_path, ranges)
    apply_as_told(plan, tmp_path, lambda session: Told(metrics={"loss": 12345.4 + session.index}))
    _, rows, chart = reported(plan, tmp_path)
    (metric,) = rows.of_kind("metric")
    assert texts <= set(re.findall(r"<text[^>]*>([^<]*)<", drawn(rows, chart, metric, 600)))


FAMILY = [f"resnet50-imagenet-{at}-pretrained-and-then-augmented" for at in (1, 2)] + ["", "-", "vit"]
SHORT_FAMILY = ["resnet…net-1-pretrained…", "resnet…net-2-pretrained…", "''", "'-'", "vit"]


def places(svg: str, texts: Sequence[str]) -> dict[str, tuple[float, str]]:
    """How far to the right each text begins, or ends where it is slanted, and by which angle it is turned."""
    found: dict[str, tuple[float, str]] = {}

    def walk(node: ElementTree.Element, x: float) -> None:
        transform = node.get("transform", "")
        if moved := re.match(r"translate\(([^,]*),", transform):
            x += float(moved[1])
        if node.text is not None and node.text in texts:
            found[node.text] = (x, "".join(re.findall(r"rotate\((.*?)\)", transform)))
        for child in node:
            walk(child, x)

    walk(ElementTree.fromstring(svg), 0)
    return found


@pytest.mark.parametrize(("width", "angle"), [(300, "-40"), (70, "-90"), (1200, "")])
def test_names_have_room_below_their_bars(tmp_path: Path, width: int, angle: str) -> None:
    """Long ones that differ in one place show it, and each can be told from a missing one."""
    plan = swept(tmp_path, f"opt: {json.dumps(FAMILY)}")
    apply_as_told(plan, tmp_path, loss)
    _, rows, chart = reported(plan, tmp_path)
    found = places(drawn(rows, chart, rows.of_kind("metric")[0], width), SHORT_FAMILY)
    assert {name: turned for name, (_, turned) in found.items()} == dict.fromkeys(SHORT_FAMILY, angle)


@pytest.mark.parametrize("ranges", ["opt: {}, k: [1, 2]", "opt: {}, data: [a, b, c, d, e, f]"])
@pytest.mark.parametrize(("width", "across"), [(340, 1), (500, 2), (1200, 5)])
def test_a_legend_is_as_wide_as_its_picture(tmp_path: Path, ranges: str, width: int, across: int) -> None:
    plan = swept(tmp_path, ranges.format(json.dumps(FAMILY)))
    apply_as_told(plan, tmp_path, loss)
    _, rows, chart = reported(plan, tmp_path)
    found = places(drawn(rows, chart, rows.of_kind("metric")[0], width), SHORT_FAMILY)
    assert list(found) == SHORT_FAMILY
    assert len({x for x, _ in found.values()}) == across
    assert max(x for x, _ in found.values()) < width


def test_a_spread_takes_two_numbers_of_one_combination(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1, 2, 3]", "repeat: 2")
    apply_as_told(plan, tmp_path, lambda session: Told(metrics={"loss": "nan" if session.repeat else 1}))
    _, rows, chart = reported(plan, tmp_path)
    assert {field.label for field in rows.fields if field.key in chart.spread} == {"duration", "cpu_time", "max_rss"}
    fields = {field.label: field for field in rows.of_kind("metric", "measured")}
    kinds = {
        label: [layer["mark"]["type"] for layer in (vega_lite.spec(chart, fields[label]) or {})["layer"]]
        for label in ("loss", "duration")
    }
    assert kinds == {"loss": ["point", "line"], "duration": ["errorband", "point", "line"]}


def attempt(start: float, duration: float | None, outcome: Outcome | None = Outcome.SUCCEEDED) -> AttemptRow:
    end = None if outcome is None else start + (duration or 500)
    ids = (f"{int(start * 10):016x}", 1, 1, "name", "local", "1:1", "node1", ())
    return AttemptRow(*ids, start, start, end, outcome, 0, None, duration, None, None, {})


def test_an_attempt_takes_the_lowest_slot_that_is_free() -> None:
    attempts = [attempt(0, 3), attempt(1, 1), attempt(1.5, 4), attempt(2, 1), attempt(3, 1), attempt(9, 1)]
    found = timeline.bars(attempts, 100, live=False)
    assert [(bar.slot, bar.start, bar.end) for bar in found] == [
        *((0, 0, 3), (1, 1, 2), (2, 1.5, 5.5), (1, 2, 3), (0, 3, 4)),
        (0, 9, 10),
    ]


def test_what_runs_ends_now_and_what_was_lost_with_the_others() -> None:
    """When something was found to be lost says nothing about when it ended."""
    running, lost = attempt(1, None, None), attempt(1, None, Outcome.LOST)
    assert [(bar.status, bar.end) for bar in timeline.bars([attempt(0, 3), running], 7, live=True)][1] == ("running", 7)
    assert [(bar.status, bar.end) for bar in timeline.bars([attempt(0, 3), running], 7, live=False)][1] == ("lost", 3)
    assert [(bar.status, bar.end) for bar in timeline.bars([attempt(0, 3), lost], 7, live=False)][1] == ("lost", 3)


def test_the_use_of_capacity_is_what_was_taken_of_it(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1, 2, 3]", "resources: {cpu: 1, mem: 256m}")
    apply_as_told(plan, tmp_path, lambda _: Told(duration=2), slots=2, capacity={"cpu": 2, "mem": 1 << 30, "gpu": 0})
    material, _, _ = reported(plan, tmp_path)
    bars = timeline.bars(material.attempts, material.made, live=False)
    used = timeline.use(bars, material.last, material.resources)
    assert {name: [(round(at - BEGIN, 2), share) for at, share in steps] for name, steps in used.items()} == {
        "cpu": [(0, 1.0), (2, 0.0), (2.01, 0.5), (4.01, 0.0)],
        "mem": [(0, 0.5), (2, 0.0), (2.01, 0.25), (4.01, 0.0)],
    }
    altair.VConcatChart.from_dict(gantt.spec(bars, used, BEGIN, {}), validate=True)
    altair.VConcatChart.from_dict(gantt.spec(bars, {}, BEGIN, {}), validate=True)


def of_shard(shard: tuple[int, ...], session: Session) -> Told | None:
    return Told() if session.index in shard else None


def test_states_that_were_merged_are_one_timeline(tmp_path: Path) -> None:
    """Two shards on machines of their own: a cpu that is idle there is one that is not in use."""
    plan = swept(tmp_path, "a: [1, 2, 3]", "resources: {cpu: 1}")
    for name, shard in (("one", (0, 1)), ("two", (2,))):
        apply_as_told(plan, tmp_path / name, partial(of_shard, shard), slots=2, host=name)
    with open_for_writing(tmp_path, "sweep") as state:
        for name in ("one", "two"):
            with open_for_reading(tmp_path / name, "sweep") as other:
                assert other is not None
                merge(state, other)
    material, _, _ = reported(plan, tmp_path)
    bars = timeline.bars(material.attempts, material.made, live=False)
    assert [bar.slot for bar in bars] == [0, 1, 2]
    used = timeline.use(bars, material.last, material.resources)
    assert [share for _, share in used["cpu"]] == [0.75, 0]
    assert "of 2 applies whose states were merged" in render(material, "/* plots */")


def test_shards_that_ran_on_different_days_have_their_own_capacity_and_time(tmp_path: Path) -> None:
    """What is busy while it runs is not half idle because another machine is to run a day later."""
    plan = swept(tmp_path, "a: [1, 2, 3]", "resources: {cpu: 1}")
    day = 86400.0
    for name, shard, begin in (("one", (0, 1), BEGIN), ("two", (2,), BEGIN + day)):
        apply_as_told(plan, tmp_path / name, partial(of_shard, shard), slots=2, host=name, begin=begin)
    with open_for_writing(tmp_path, "sweep") as state:
        for name in ("one", "two"):
            with open_for_reading(tmp_path / name, "sweep") as other:
                assert other is not None
                merge(state, other)
    material, _, _ = reported(plan, tmp_path)
    bars = timeline.bars(material.attempts, material.made, live=False)
    used = timeline.use(bars, material.last, material.resources)
    assert [(at - BEGIN, share) for at, share in used["cpu"]] == [(0, 1), (1.5, 0), (day, 0.5), (day + 1.5, 0)]
    assert "<dt>last applies</dt><dd><b>3.0s</b>" in sections.overview(material)
    with open_for_reading(tmp_path, "sweep") as state:
        assert state is not None
        assert list(take_snapshot(plan, state).lines()) == ["3 succeeded in 3.0s"]


def test_a_dead_apply_takes_no_longer_the_later_one_looks(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1]")
    with open_for_writing(tmp_path, "sweep") as state:
        state.journal.record(apply_started(BEGIN, plan.recipe))
        material, _, _ = reported(plan, tmp_path)
        assert "<dd><b>16m 40s</b><small>it still runs</small></dd>" in sections.overview(material)
    material, _, _ = reported(plan, tmp_path)
    assert "<dd><b>-</b><small>died before its end</small></dd>" in sections.overview(material)


def test_an_apply_with_nothing_to_do_is_not_what_is_told_of(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1]")
    apply_as_told(plan, tmp_path, lambda _: Told())
    idle(tmp_path, plan, BEGIN + 100)
    material, _, _ = reported(plan, tmp_path)
    assert "<dt>last apply</dt><dd><b>1.5s</b>" in sections.overview(material)
    with open_for_reading(tmp_path, "sweep") as state:
        assert state is not None
        assert list(take_snapshot(plan, state).lines()) == ["1 succeeded in 1.5s"]
    idle(tmp_path / "new", plan, BEGIN)
    with open_for_reading(tmp_path / "new", "sweep") as state:
        assert state is not None
        assert list(take_snapshot(plan, state).lines()) == ["nothing to run in 4ms"]


def idle(folder: Path, plan: Plan, at: float) -> None:
    with open_for_writing(folder, "sweep") as state:
        state.journal.record(replace(apply_started(at, plan.recipe), to_run=0))
        state.journal.record(apply_ended(at + 0.004))


def test_a_curve_of_many_steps_keeps_its_area() -> None:
    steps = [(float(at), float(at % 2)) for at in range(10_001)]
    thinned = timeline.thinned(steps)
    assert len(thinned) == timeline.MOST_STEPS + 1
    area = sum(level * (after - at) for (at, level), (after, _) in itertools.pairwise(thinned))
    assert area == pytest.approx(5000)


@pytest.mark.parametrize("width", [400, 1200])
def test_a_long_label_ends_before_the_next_axis(tmp_path: Path, width: int) -> None:
    """None has more letters than its room holds at five pixels each."""
    long = [f"value-of-sixty-characters-{'x' * 33}{at}" for at in range(2)]
    plan = swept(tmp_path, f"{'v' * 60}: [{long[0]}, {long[1]}], b: [{long[1]}, z], c: [{long[0]}, y]")
    apply_as_told(plan, tmp_path, loss)
    _, rows, chart = reported(plan, tmp_path)
    keys = [field.key for field in rows.fields]
    records = [
        {
            key: field.values[cell].text if field.coded else cell
            for key, field, cell in zip(keys, rows.fields, cells, strict=True)
        }
        for cells in rows.cells
    ]
    (metric,) = (field for field in rows.fields if field.label == "loss")
    drawn = vega_lite.spec(chart, metric)
    assert drawn is not None
    svg = vl_convert.vegalite_to_svg({**drawn, "width": width, "datasets": {"sessions": records}})
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert {"y", "z", "b", "c"} <= texts
    cut = {text for text in texts if text.startswith(("val", "vv"))}
    assert cut
    assert all("…" in text and len(text) * 5 < width / 4 for text in cut)
    assert width == 400 or {"value-of-six…xxxxxxxxxx0", "value-of-six…xxxxxxxxxx1"} <= cut


HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&lt;'\"`\x1b[31m\u2028"


def test_nothing_that_was_supplied_is_markup(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "name": "a<b>&c",
            "exec": ["true", "$x"],
            "ranges": {"x": [HOSTILE, "plain"]},
            "metrics": {"<i>image": {"last_line": "m"}, "__proto__": {"last_line": "m"}},
        }
    )
    plan = Plan.of(load(Source("sweep.yaml", text), tmp_path))
    told = Told(Outcome.FAILED, 3, HOSTILE, {"<i>image": HOSTILE, "__proto__": 1}, f"fir\0st\n{HOSTILE}\n")
    apply_as_told(plan, tmp_path, lambda _: told, host=HOSTILE)
    material, _, _ = reported(plan, tmp_path)
    page = render(material, "/* plots */")
    assert "<script>document.title" not in page
    assert "<img" not in page
    assert "<b>&c" not in page
    assert "\x1b" not in page
    assert "\x00" not in page
    assert page.count("<script") == page.count("</script>") == 4
    assert "&lt;script&gt;document.title" in page
    blocks = re.findall(r'<script type="application/json" id="data-sheet">(.*?)</script>', page, re.S)
    variable = next(column for column in json.loads(blocks[0])["columns"] if column["name"] == "x")
    assert [text for text, _ in variable["values"]] == [HOSTILE, "plain"]


def test_markup_is_made_in_one_place() -> None:
    assert escaped("<a & 'b' \"c\">\x07\ud800") == "&lt;a &amp; &#x27;b&#x27; &quot;c&quot;&gt;��"
    assert (
        tag("p", tag("b", "<"), ">", class_="x", title='"', lang=None)
        == '<p class="x" title="&quot;"><b>&lt;</b>&gt;</p>'
    )
    block = data_block("d", {"x": "</script><!--\u2028&"})
    assert json.loads(re.sub("<[^>]*>", "", block)) == {"x": "</script><!--\u2028&"}
    assert block.count("<") == 2


def test_a_policy_lets_the_page_run_its_own_scripts_only(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1, 2]")
    page = render(reported(plan, tmp_path)[0], "window.plots = 1;")
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src &#x27;none&#x27;" in policy
    assert policy.count("sha256-") == 2
    assert "Nothing has been applied yet." in page


def test_failures_stand_by_cause_with_their_log(tmp_path: Path) -> None:
    plan = swept(tmp_path, 'a: "range:40"', "repeat: 2")

    def tell(session: Session) -> Told | None:
        if session.index % 4 == 0:
            lines = f"Traceback\n  File m.py, line 8\nValueError: diverged at step {session.index}\n"
            return Told(Outcome.FAILED, 1, "exit code 1", stderr=lines)
        if session.index % 10 == 1:
            return Told(Outcome.OUT_OF_MEMORY, 137, f"used {session.index} MiB of its 9 MiB of memory")
        return None if session.index == 2 else loss(session)

    apply_as_told(plan, tmp_path, tell)
    material, _, _ = reported(plan, tmp_path)
    page = render(material, "")
    assert "20 failed, 8 out-of-memory, 2 causes." in page
    assert page.index("ValueError: diverged at step 0") < page.index("used 1 MiB of its 9 MiB")
    assert "  File m.py, line 8\nValueError" in page
    example = material.causes[0].cause.example.session
    assert f"runner logs sweep.yaml {example} --stderr" in page
    assert material.counts == {"failed": 20, "out-of-memory": 8, "succeeded": 51, "new": 1}


def test_a_failed_build_is_the_cause_of_its_sessions(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    text = (
        "build: 'echo \"m:1: no rule for <b>\" >&2; exit 2'\nfiles: [m]\nexec: ['true', $a]\nranges: {a: [1, 2, 3]}\n"
    )
    plan = Plan.of(load(Source("sweep.yaml", text), tmp_path))
    (tmp_path / "sweep.yaml").write_text(text)
    command = [sys.executable, "-m", "runner", "apply"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120).returncode == 1
    material, _, _ = reported(plan, tmp_path)
    (only,) = material.causes
    assert (only.cause.text, len(only.cause.failures)) == ("m:1: no rule for <b>", 3)
    assert "m:1: no rule for &lt;b&gt;" in render(material, "")


def test_what_was_lost_has_a_cause_and_what_was_cancelled_has_none(tmp_path: Path) -> None:
    plan = swept(tmp_path, "a: [1, 2, 3]")
    outcomes = [Outcome.REJECTED, Outcome.LOST, Outcome.CANCELLED]
    apply_as_told(plan, tmp_path, lambda session: Told(outcomes[session.index], None, "because"))
    material, _, _ = reported(plan, tmp_path)
    assert [one.cause.title for one in material.causes] == ["rejected (because)", "lost (because)"]
    (tmp_path / "sweep.yaml").write_text(plan.sweep.source.text)
    found = json.loads(shell(tmp_path, "runner status --format json").stdout)
    assert [(row["outcome"], row["reason"]) for row in found["failed"]] == [
        ("rejected", "because"),
        ("lost", "because"),
    ]
    told = shell(tmp_path, "runner status").stdout.splitlines()
    assert "1 lost, 1 rejected, 2 causes" in told
    assert "lost (because): a=2" in told
    assert told[0] == "sweep: 3 sessions (1 cancelled, 1 lost, 1 rejected)"
    assert told[2].startswith("1 cancelled, 1 lost, 1 rejected in ")
    assert "1 cancelled, 1 lost, 1 rejected" in sections.provenance(material)


def test_the_commands_that_a_page_shows_are_those_of_this_state(tmp_path: Path) -> None:
    plan = swept(tmp_path, 'a: "range:201"')
    apply_as_told(plan, tmp_path, lambda _: Told(Outcome.FAILED, 1))
    with open_for_reading(tmp_path, plan.sweep.name) as state:
        material = gather(plan, state, "my sweep.yaml", Path("/some where"), BEGIN + 1000, "0.1.0")
    page = html.unescape(render(material, ""))
    example = material.causes[0].cause.example.session
    assert f"runner logs --state '/some where' 'my sweep.yaml' {example}" in page
    assert "runner results --state '/some where' 'my sweep.yaml' --group-by a --agg mean,std,count" in page


def test_report_without_vl_convert_has_no_plots(tmp_path: Path) -> None:
    """The module is missing, as on a machine that has only the core."""
    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'echo $1', sh, $x]\nranges: {x: [1, 2]}\n")
    assert shell(tmp_path, "runner apply").returncode == 0
    program = "import sys; sys.modules['vl_convert'] = None; from runner.cli.main import run; sys.exit(run(['report']))"
    done = shell(tmp_path, shlex.join([sys.executable, "-c", program]))
    assert done.returncode == 0
    assert "the report has no plots: `pip install vl-convert-python` adds them\n" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert page.count("This report has no plots. To add them, run <code>pip install vl-convert-python</code>") == 2
    assert page.count("<script>") == 1


def test_a_report_is_written_whole_beside_what_was_there(tmp_path: Path) -> None:
    def runner(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runner", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    (tmp_path / "sweep.yaml").write_text("exec: [sh, -c, 'echo bad >&2; exit $1', sh, $x]\nranges: {x: [0, 3]}\n")
    assert runner("apply").returncode == 1
    done = runner("report", "-o", "out.html")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"wrote out.html \(.* KiB\)\n", done.stderr)
    page = (tmp_path / "out.html").read_text()
    assert "1 failed, 1 cause." in page
    assert page.rstrip().endswith("</html>")
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.yaml", ".runner", "out.html"}
    piped = runner("report", "-o", "-")
    assert piped.stdout.startswith("<!DOCTYPE html>")
    assert runner("report", "-o", "nowhere/out.html").returncode == 2
    if sys.platform == "linux":  # where nobody can make a file, not even root
        refused = runner("report", "-o", "/proc/out.html")
        assert refused.returncode == 3
        assert refused.stderr.startswith("error: cannot write `/proc/out.html`: no such file or directory\n")
