"""The choice of a plot and its Vega-Lite, which Vega itself draws and Altair's schema accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import altair
import pytest
import vl_convert

from runner.reporters.html import bundle
from runner.reporters.html.chart_choice import Chart
from runner.reporters.html.chart_specs import chart_spec
from runner.reporters.html.dataset import Dataset, Field
from runner.reporters.html.page import render
from runner.results.columns import number
from tests.journalled import Ending, record_apply
from tests.reporters.html_reports import loss, report_of, sweep_of

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
def test_plot_kind_follows_variables(tmp_path: Path, kind: str) -> None:
    ranges, more, over = CASES[kind]
    plan = sweep_of(tmp_path, ranges, more)
    record_apply(plan, tmp_path, loss)
    _, dataset, chart = report_of(plan, tmp_path)
    assert (chart.kind, [one.field.label for one in chart.over]) == (kind, over)
    for field in dataset.of_kind("metric", "measured"):
        spec = chart_spec(chart, field)
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
def test_zipped_variables_are_one_and_text_is_nominal(
    tmp_path: Path, ranges: str, more: str, kind: str, label: str
) -> None:
    plan = sweep_of(tmp_path, ranges, more)
    record_apply(plan, tmp_path, loss)
    _, dataset, chart = report_of(plan, tmp_path)
    assert (chart.kind, chart.over[0].label) == (kind, label)
    json.dumps(dataset.to_json(), allow_nan=False)


def test_metric_without_numbers_has_no_plot(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1, 2]")
    record_apply(plan, tmp_path, lambda session: Ending(metrics={"loss": "nan" if session.index else None}))
    report, dataset, chart = report_of(plan, tmp_path)
    (field,) = dataset.of_kind("metric")
    assert chart_spec(chart, field) is None
    page = render(report, "")
    assert "1 missing, 1 not a number, such as `nan`" in page
    assert dataset.cells(field) == [None, "nan"]


def svg_of(dataset: Dataset, chart: Chart, metric: Field, width: int) -> str:
    """The plot as Vega draws it."""
    records = [
        {
            field.key: (number(field.values[cell]) if field.numeric else field.values[cell].text)
            if field.coded
            else cell
            for field, cell in zip(dataset.fields, cells, strict=True)
        }
        for cells in zip(*dataset.columns, strict=True)
    ]
    spec = {**(chart_spec(chart, metric) or {}), "width": width, "datasets": {"sessions": records}}
    return str(vl_convert.vegalite_to_svg(spec, vl_version=bundle.VEGA_LITE))


@pytest.mark.parametrize(
    ("ranges", "texts"),
    [
        ("a: [0.0001, 32, 2048]", {"0.0001", "32", "2,048"}),
        ("a: [2048, 65536], b: [0.25, 100000]", {"2,048", "65,536", "0.25", "100,000", "12,345"}),
        ("a: [2048, 65536], b: [1, 2], c: [x, y]", {"2048", "65536", "x"}),
    ],
)
def test_axis_numbers_are_readable(tmp_path: Path, ranges: str, texts: set[str]) -> None:
    plan = sweep_of(tmp_path, ranges)
    record_apply(plan, tmp_path, lambda session: Ending(metrics={"loss": 12345.4 + session.index}))
    _, dataset, chart = report_of(plan, tmp_path)
    (metric,) = dataset.of_kind("metric")
    assert texts <= set(re.findall(r"<text[^>]*>([^<]*)<", svg_of(dataset, chart, metric, 600)))


@pytest.mark.parametrize("value", [0.5, 0.25, 0.97, 3e-07, -0.125, 12345.0])
def test_axis_of_a_constant_metric_has_its_value(tmp_path: Path, value: float) -> None:
    """Vega's own labels round the only value of an axis to a whole number."""
    plan = sweep_of(tmp_path, "lr: [0.1, 0.2, 0.3]")
    record_apply(plan, tmp_path, lambda _: Ending(metrics={"loss": value}))
    _, dataset, chart = report_of(plan, tmp_path)
    (metric,) = dataset.of_kind("metric")
    texts = re.findall(r"<text[^>]*>([^<]*)<", svg_of(dataset, chart, metric, 600))
    numbers = [
        float(text.replace(",", "").replace("\u2212", "-")) for text in texts if re.match("[-\u2212]?[0-9]", text)
    ]
    assert any(abs(number - value) < abs(value) * 1e-3 for number in numbers), texts


@pytest.mark.parametrize("ranges", ["lr: [0.1, 0.2, 0.3]", "lr: [0.001, 0.01, 0.1, 1]"])
def test_values_without_a_point_have_places_of_their_own(tmp_path: Path, ranges: str) -> None:
    plan = sweep_of(tmp_path, ranges)
    record_apply(plan, tmp_path, lambda session: Ending(metrics={"loss": 1.5} if session.index == 0 else {}))
    _, dataset, chart = report_of(plan, tmp_path)
    (metric,) = dataset.of_kind("metric")
    texts = re.findall("[0-9.]+", ranges)
    places = positions(svg_of(dataset, chart, metric, 600), texts)
    assert len({x for x, _ in places.values()}) == len(texts)


FAMILY = [f"resnet50-imagenet-{at}-pretrained-and-then-augmented" for at in (1, 2)] + ["", "-", "vit"]
SHORT_FAMILY = ["resnet…net-1-pretrained…", "resnet…net-2-pretrained…", "''", "'-'", "vit"]


def positions(svg: str, texts: Sequence[str]) -> dict[str, tuple[float, str]]:
    """The x position of each text and the angle by which it is rotated."""
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
def test_long_names_are_rotated_to_fit(tmp_path: Path, width: int, angle: str) -> None:
    """Shortened names still differ, and empty ones are quoted."""
    plan = sweep_of(tmp_path, f"opt: {json.dumps(FAMILY)}")
    record_apply(plan, tmp_path, loss)
    _, dataset, chart = report_of(plan, tmp_path)
    found = positions(svg_of(dataset, chart, dataset.of_kind("metric")[0], width), SHORT_FAMILY)
    assert {name: turned for name, (_, turned) in found.items()} == dict.fromkeys(SHORT_FAMILY, angle)


@pytest.mark.parametrize("ranges", ["opt: {}, k: [1, 2]", "opt: {}, data: [a, b, c, d, e, f]"])
@pytest.mark.parametrize(("width", "across"), [(340, 1), (500, 2), (1200, 5)])
def test_legend_wraps_to_plot_width(tmp_path: Path, ranges: str, width: int, across: int) -> None:
    plan = sweep_of(tmp_path, ranges.format(json.dumps(FAMILY)))
    record_apply(plan, tmp_path, loss)
    _, dataset, chart = report_of(plan, tmp_path)
    found = positions(svg_of(dataset, chart, dataset.of_kind("metric")[0], width), SHORT_FAMILY)
    assert list(found) == SHORT_FAMILY
    assert len({x for x, _ in found.values()}) == across
    assert max(x for x, _ in found.values()) < width


def test_deviation_needs_two_numbers_in_a_group(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1, 2, 3]", "repeat: 2")
    record_apply(plan, tmp_path, lambda session: Ending(metrics={"loss": "nan" if session.repeat else 1}))
    _, dataset, chart = report_of(plan, tmp_path)
    assert {field.label for field in dataset.fields if field.key in chart.spread} == {"duration", "cpu_time", "max_rss"}
    fields = {field.label: field for field in dataset.of_kind("metric", "measured")}
    kinds = {
        label: [layer["mark"]["type"] for layer in (chart_spec(chart, fields[label]) or {})["layer"]]
        for label in ("loss", "duration")
    }
    assert kinds == {"loss": ["point", "line"], "duration": ["errorband", "point", "line"]}


@pytest.mark.parametrize("width", [400, 1200])
def test_long_label_ends_before_next_axis(tmp_path: Path, width: int) -> None:
    """A letter takes five pixels or more."""
    long = [f"value-of-sixty-characters-{'x' * 33}{at}" for at in range(2)]
    plan = sweep_of(tmp_path, f"{'v' * 60}: [{long[0]}, {long[1]}], b: [{long[1]}, z], c: [{long[0]}, y]")
    record_apply(plan, tmp_path, loss)
    _, dataset, chart = report_of(plan, tmp_path)
    keys = [field.key for field in dataset.fields]
    records = [
        {
            key: field.values[cell].text if field.coded else cell
            for key, field, cell in zip(keys, dataset.fields, cells, strict=True)
        }
        for cells in zip(*dataset.columns, strict=True)
    ]
    (metric,) = (field for field in dataset.fields if field.label == "loss")
    drawn = chart_spec(chart, metric)
    assert drawn is not None
    svg = vl_convert.vegalite_to_svg({**drawn, "width": width, "datasets": {"sessions": records}})
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert {"y", "z", "b", "c"} <= texts
    cut = {text for text in texts if text.startswith(("val", "vv"))}
    assert cut
    assert all("…" in text and len(text) * 5 < width / 4 for text in cut)
    assert width == 400 or {"value-of-six…xxxxxxxxxx0", "value-of-six…xxxxxxxxxx1"} <= cut
