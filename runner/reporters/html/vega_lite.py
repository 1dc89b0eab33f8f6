"""The plots as Vega-Lite: each over the data set `sessions`, whose fields are the keys of the sheet, and for one metric.

The colours are the page's, which knows whether it is light or dark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.reporters.html.chart_choice import MOST_TICKS, Chart, Kind
from runner.reporters.html.dataset import Field
from runner.reporters.html.encodings import (
    HEIGHT,
    Spec,
    across,
    colour_by,
    described,
    has_number,
    number_text,
    shade,
    together,
    value_of,
)
from runner.reporters.html.parallel_coordinates import parallel

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""A name, never fetched."""

MOST_CELL_TEXTS = 120

SILENT: Spec = {"value": None}
"""No tip of its own."""

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 3], [1, 3])


def spec(chart: Chart, metric: Field) -> Spec | None:
    """The plot of a metric; None where there is nothing to plot."""
    if chart.kind == "none" or not metric.numeric:
        return None
    body = _MAKERS[chart.kind](chart, metric)
    return {
        "$schema": SCHEMA,
        "data": {"name": "sessions"},
        "width": "container",
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        **body,
    }


def _points(metric: Field, x: Spec, **more: Any) -> Spec:
    """Each session by itself, faint."""
    return {
        "mark": {"type": "point", "filled": True, "size": 22, "opacity": 0.45},
        "encoding": {
            "x": x,
            "y": value_of(metric, None, scale={"zero": False}),
            "tooltip": [{"field": "session", "title": "session"}, {"field": metric.key, "title": metric.label}],
            **more,
        },
    }


def _line(chart: Chart, metric: Field) -> Spec:
    x = across(chart.over[0])
    series: Spec = {}
    dash: Spec = {}
    if len(chart.over) > 1:
        series = {"color": colour_by(chart.over[1])}
        series["color"]["legend"] |= {"symbolType": "stroke", "symbolStrokeWidth": 3, "symbolSize": 400}
        texts = series["color"]["sort"]
        scale = {"domain": texts, "range": [list(dash) for dash in DASHES[: len(texts)]]}
        dash = {"strokeDash": {**series["color"], "scale": scale}}
    band = {
        "mark": {"type": "errorband", "extent": "stdev", "opacity": 0.18},
        "encoding": {"x": x, "y": value_of(metric, None, scale={"zero": False}), **series, "tooltip": SILENT},
    }
    mean = {
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 55}},
        "encoding": {
            "x": x,
            "y": value_of(metric, scale={"zero": False}),
            **series,
            **dash,
            "tooltip": described([*chart.over], metric),
        },
    }
    return {
        "transform": [has_number(metric)],
        "layer": [*([band] if metric.key in chart.spread else []), _points(metric, x, **series), mean],
    }


def _bars(chart: Chart, metric: Field) -> Spec:
    x = across(chart.over[0])
    by: Spec = {}
    offset: Spec = {}
    if len(chart.over) > 1:
        by = {"color": colour_by(chart.over[1])}
        offset = {"xOffset": {"field": chart.over[1].field.key, "type": "nominal", "sort": by["color"]["sort"]}}
    bar = {
        "mark": {"type": "bar", "opacity": 0.85, "cornerRadiusEnd": 2, "width": {"band": 0.8}},
        "encoding": {"x": x, "y": value_of(metric), **by, **offset, "tooltip": described(chart.over, metric)},
    }
    spread = {
        "mark": {"type": "errorbar", "extent": "stdev", "ticks": {"size": 12}, "thickness": 1.5},
        "encoding": {"x": x, "y": value_of(metric, None), **offset, "color": {"value": "#777"}, "tooltip": SILENT},
    }
    points = _points(metric, x, **offset, color={"value": "#777"})
    points["encoding"]["y"] = value_of(metric, None)
    return {
        "transform": [has_number(metric)],
        "layer": [bar, points, *([spread] if metric.key in chart.spread else [])],
    }


def _strip(chart: Chart, metric: Field) -> Spec:
    x = across(chart.over[0], ordinal=chart.over[0].size <= MOST_TICKS)
    rule = {"mark": {"type": "rule", "strokeDash": [5, 4]}, "encoding": {"y": value_of(metric, scale={"zero": False})}}
    points = _points(metric, x)
    points["mark"] = {**points["mark"], "size": 60, "opacity": 0.9}
    return {"transform": [has_number(metric)], "layer": [rule, points]}


def _heatmap(chart: Chart, metric: Field) -> Spec:
    first, second = chart.over
    x = across(first, ordinal=True)
    y = {**across(second, ordinal=True), "sort": "descending"}
    y["axis"] = {**y["axis"], "labelAngle": 0}
    tooltip = [
        *({"field": one.field.key, "title": one.label} for one in chart.over),
        {"field": "value", "title": f"{metric.label}, mean"},
        {"field": "spread", "title": "standard deviation"},
        {"field": "count", "title": "sessions"},
    ]
    gaps = {
        "transform": [{"calculate": "'no number'", "as": "none"}],
        "mark": {"type": "rect", "color": "#888", "opacity": 0.25},
        "encoding": {"x": x, "y": y, "tooltip": [*tooltip[:2], {"field": "none", "title": metric.label}]},
    }
    shades = {
        "transform": [has_number(metric), *together([first.field.key, second.field.key], metric)],
        "mark": {"type": "rect"},
        "encoding": {"x": x, "y": y, "color": shade(metric), "tooltip": tooltip},
    }
    layers = [gaps, shades]
    if first.size * second.size <= MOST_CELL_TEXTS:
        layers.append(
            {
                "transform": [
                    *shades["transform"],
                    {
                        "joinaggregate": [
                            {"op": "min", "field": "value", "as": "low"},
                            {"op": "max", "field": "value", "as": "high"},
                        ]
                    },
                    {"calculate": number_text(metric), "as": "text"},
                ],
                "mark": {"type": "text", "fontSize": 12},
                "encoding": {
                    "x": x,
                    "y": y,
                    "text": {"field": "text", "type": "nominal"},
                    "color": {
                        "condition": {"test": "datum.value > (datum.low + datum.high) / 2", "value": "black"},
                        "value": "white",
                    },
                },
            }
        )
    return {"layer": layers}


def _scatter(chart: Chart, metric: Field) -> Spec:
    x, y = map(across, chart.over)
    return {
        "transform": [has_number(metric), *together([one.field.key for one in chart.over], metric)],
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.85},
        "encoding": {
            "x": x,
            "y": y,
            "color": shade(metric),
            "tooltip": [
                *({"field": one.field.key, "title": one.label} for one in chart.over),
                {"field": "value", "title": f"{metric.label}, mean"},
                {"field": "count", "title": "sessions"},
            ],
        },
    }


_MAKERS: Mapping[Kind, Callable[[Chart, Field], Spec]] = {
    "line": _line,
    "lines": _line,
    "bars": _bars,
    "grouped-bars": _bars,
    "strip": _strip,
    "heatmap": _heatmap,
    "scatter": _scatter,
    "parallel": parallel,
}
