"""The plots as Vega-Lite: each over the data set `sessions`, whose fields are the keys of the sheet, and for one metric."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from runner.columns import Quantity
from runner.report.charts import MOST_TICKS, Chart, Kind, Variable
from runner.report.sheet import Field

Spec: TypeAlias = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""A name, never fetched."""

HEIGHT = 340

MOST_LINES = 2000
"""Of parallel coordinates; of more, every n-th is drawn."""

MOST_CELL_TEXTS = 120

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
"""Okabe and Ito's: to be told apart with every kind of colour vision."""

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 3], [1, 3])


def spec(chart: Chart, metric: Field, sessions: int) -> Spec | None:
    """The plot of a metric; None where there is nothing to plot. `sessions` is how many rows the data set may have."""
    if chart.kind == "none" or not metric.numeric:
        return None
    body = _MAKERS[chart.kind](chart, metric, sessions)
    return {
        "$schema": SCHEMA,
        "data": {"name": "sessions"},
        "width": "container",
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        **body,
    }


def _has_number(metric: Field) -> Spec:
    return {"filter": f"isValid(datum['{metric.key}']) && isNumber(datum['{metric.key}'])"}


def _axis(quantity: Quantity) -> Spec:
    """Labels that people read; Vega knows no seconds and no bytes."""
    labels = {"duration": DURATION, "memory": MEMORY}
    return {"labelExpr": labels[quantity]} if quantity in labels else {}


DURATION = (
    "datum.value < 1 ? format(datum.value * 1000, ',~r') + ' ms' : datum.value < 120 ? format(datum.value, '~r') + ' s'"
    " : datum.value < 7200 ? format(datum.value / 60, '~r') + ' min' : format(datum.value / 3600, '~r') + ' h'"
)
MEMORY = (
    "datum.value < 1048576 ? format(datum.value / 1024, '.4~r') + ' KiB' : datum.value < 1073741824"
    " ? format(datum.value / 1048576, '.4~r') + ' MiB' : format(datum.value / 1073741824, '.4~r') + ' GiB'"
)


def _number(metric: Field) -> str:
    """An expression: `datum.value` of this metric, for people."""
    expressions = {"duration": DURATION, "memory": MEMORY}
    return expressions.get(metric.quantity or "", "format(datum.value, '.4~g')")


def _across(variable: Variable, *, ordinal: bool = False) -> Spec:
    """The encoding of a variable along an axis."""
    named = {"field": variable.field.key, "title": variable.label}
    if not variable.numeric:
        return {**named, "type": "nominal", "sort": [value.text for value in variable.field.values]}
    if ordinal:
        return {**named, "type": "ordinal"}
    scale: Spec = {"type": "log"} if variable.logarithmic else {"zero": False, "padding": 12}
    axis: Spec = {}
    if variable.size <= 12:
        axis = {"values": variable.numbers, "format": "~g"}
    return {**named, "type": "quantitative", "scale": {"nice": False, **scale}, "axis": axis}


def _value(metric: Field, aggregate: str | None = "mean", **more: Any) -> Spec:
    found: Spec = {"field": metric.key, "type": "quantitative", "title": metric.label, "axis": _axis(metric.quantity)}
    return {**found, **({"aggregate": aggregate} if aggregate else {}), **more}


def _colour(variable: Variable) -> Spec:
    texts = [value.text for value in variable.field.values]
    return {
        "field": variable.field.key,
        "type": "nominal",
        "title": variable.label,
        "sort": texts,
        "scale": {"domain": texts, "range": list(COLOURS[: len(texts)])},
        "legend": {"orient": "top", "columns": 4},
    }


def _points(metric: Field, x: Spec, **more: Any) -> Spec:
    """Each session by itself, faint."""
    return {
        "mark": {"type": "point", "filled": True, "size": 22, "opacity": 0.45},
        "encoding": {
            "x": x,
            "y": _value(metric, None, scale={"zero": False}),
            "tooltip": [{"field": "session", "title": "session"}, {"field": metric.key, "title": metric.label}],
            **more,
        },
    }


def _line(chart: Chart, metric: Field, _: int) -> Spec:
    x = _across(chart.over[0])
    series: Spec = {}
    dash: Spec = {}
    if len(chart.over) > 1:
        series = {"color": _colour(chart.over[1])}
        texts = series["color"]["sort"]
        scale = {"domain": texts, "range": [list(dash) for dash in DASHES[: len(texts)]]}
        dash = {"strokeDash": {**series["color"], "scale": scale}}
    band = {
        "mark": {"type": "errorband", "extent": "stdev", "opacity": 0.18},
        "encoding": {"x": x, "y": _value(metric, None, scale={"zero": False}), **series},
    }
    mean = {
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 55}},
        "encoding": {
            "x": x,
            "y": _value(metric, scale={"zero": False}),
            **series,
            **dash,
            "tooltip": _described([*chart.over], metric),
        },
    }
    return {"transform": [_has_number(metric)], "layer": [band, _points(metric, x, **series), mean]}


def _described(over: Sequence[Variable], metric: Field) -> list[Spec]:
    """What a mark that stands for several sessions says of itself."""
    return [
        *({"field": one.field.key, "title": one.label} for one in over),
        {"field": metric.key, "aggregate": "mean", "type": "quantitative", "title": f"{metric.label}, mean"},
        {"aggregate": "count", "type": "quantitative", "title": "sessions"},
    ]


def _bars(chart: Chart, metric: Field, _: int) -> Spec:
    x = {**_across(chart.over[0]), "axis": {"labelAngle": 0 if chart.over[0].size <= 8 else -40, "labelLimit": 160}}
    by: Spec = {"color": {"value": COLOURS[0]}}
    offset: Spec = {}
    if len(chart.over) > 1:
        by = {"color": _colour(chart.over[1])}
        offset = {"xOffset": {"field": chart.over[1].field.key, "type": "nominal", "sort": by["color"]["sort"]}}
    bar = {
        "mark": {"type": "bar", "opacity": 0.85, "cornerRadiusEnd": 2},
        "encoding": {"x": x, "y": _value(metric), **by, **offset, "tooltip": _described(chart.over, metric)},
    }
    spread = {
        "mark": {"type": "errorbar", "extent": "stdev", "ticks": True, "thickness": 1.5},
        "encoding": {"x": x, "y": _value(metric, None), **offset, "color": {"value": "#777"}},
    }
    points = _points(metric, x, **offset, color={"value": "#777"})
    points["encoding"]["y"] = _value(metric, None)
    return {"transform": [_has_number(metric)], "layer": [bar, points, spread]}


def _strip(chart: Chart, metric: Field, _: int) -> Spec:
    x = _across(chart.over[0], ordinal=chart.over[0].size <= MOST_TICKS)
    rule = {"mark": {"type": "rule", "strokeDash": [5, 4]}, "encoding": {"y": _value(metric, scale={"zero": False})}}
    points = _points(metric, x, color={"value": COLOURS[0]})
    points["mark"] = {**points["mark"], "size": 60, "opacity": 0.9}
    return {"transform": [_has_number(metric)], "layer": [rule, points]}


def _shade(metric: Field, field: str = "value") -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": metric.label,
        "scale": {"scheme": "viridis", "zero": False, "nice": False},
        "legend": {"orient": "right", "gradientLength": HEIGHT - 90, **_axis(metric.quantity)},
    }


def _together(keys: Sequence[str], metric: Field) -> list[Spec]:
    """One row for the sessions that have the same values."""
    return [
        {
            "aggregate": [
                {"op": "mean", "field": metric.key, "as": "value"},
                {"op": "stdev", "field": metric.key, "as": "spread"},
                {"op": "count", "as": "count"},
            ],
            "groupby": list(keys),
        }
    ]


def _heatmap(chart: Chart, metric: Field, _: int) -> Spec:
    first, second = chart.over
    x = {**_across(first, ordinal=True), "axis": {"labelAngle": 0 if first.size <= 10 else -40, "labelOverlap": True}}
    y = {**_across(second, ordinal=True), "sort": "descending"}
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
        "transform": [_has_number(metric), *_together([first.field.key, second.field.key], metric)],
        "mark": {"type": "rect"},
        "encoding": {"x": x, "y": y, "color": _shade(metric), "tooltip": tooltip},
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
                    {"calculate": _number(metric), "as": "text"},
                ],
                "mark": {"type": "text", "fontSize": 12},
                "encoding": {
                    **{"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
                    "color": {
                        "condition": {"test": "datum.value > (datum.low + datum.high) / 2", "value": "black"},
                        "value": "white",
                    },
                },
            }
        )
    return {"layer": layers}


def _scatter(chart: Chart, metric: Field, _: int) -> Spec:
    x, y = map(_across, chart.over)
    return {
        "transform": [_has_number(metric), *_together([one.field.key for one in chart.over], metric)],
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.85},
        "encoding": {
            **{"x": x, "y": y, "color": _shade(metric)},
            "tooltip": [
                *({"field": one.field.key, "title": one.label} for one in chart.over),
                {"field": "value", "title": f"{metric.label}, mean"},
                {"field": "count", "title": "sessions"},
            ],
        },
    }


def _parallel(chart: Chart, metric: Field, sessions: int) -> Spec:
    """One line for each combination; its last axis is the metric, which colours it, too."""
    keys = [one.field.key for one in chart.over]
    places = [f"p{at}" for at in range(len(keys))]
    names = {place: one.label for place, one in zip(places, chart.over, strict=True)} | {"metric": metric.label}
    every = max(1, -(-sessions // MOST_LINES))
    ticks = [
        {"axis": place, "at": at, "text": text}
        for place, one in zip(places, chart.over, strict=True)
        for at, text in _ticks(one)
    ]
    order = [*places, "metric"]
    across = {
        "field": "axis",
        "type": "ordinal",
        "sort": order,
        "scale": {"domain": order, "padding": 0.5},
        "axis": {
            "labelExpr": f"({json.dumps(names)})[datum.value]",
            **{"title": None, "labelAngle": 0, "orient": "top", "labelFontWeight": "bold", "domain": False, "ticks": False},
        },
    }
    y: Spec = {"field": "at", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1]}}
    bounds = [{"op": "min", "field": "value", "as": "low"}, {"op": "max", "field": "value", "as": "high"}]
    lines = {
        "transform": [
            _has_number(metric),
            *_together(keys, metric),
            {"joinaggregate": bounds},
            {"window": [{"op": "row_number", "as": "line"}]},
            *([{"filter": f"datum.line % {every} == 1"}] if every > 1 else []),
            *({"calculate": _place(one), "as": place} for place, one in zip(places, chart.over, strict=True)),
            {"calculate": "datum.high > datum.low ? (datum.value - datum.low) / (datum.high - datum.low) : 0.5", "as": "metric"},
            {"fold": order, "as": ["axis", "at"]},
        ],
        "mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.75 if sessions <= 300 else 0.4},
        "encoding": {
            **{"x": across, "y": y, "detail": {"field": "line", "type": "nominal"}, "color": _shade(metric)},
            "tooltip": [
                *({"field": one.field.key, "title": one.label} for one in chart.over),
                {"field": "value", "title": f"{metric.label}, mean"},
                {"field": "count", "title": "sessions"},
            ],
        },
    }
    poles = {
        "data": {"values": [{"axis": name} for name in order]},
        "mark": {"type": "rule", "opacity": 0.5},
        "encoding": {"x": across},
    }
    labels = {
        "data": {"values": ticks},
        "mark": {"type": "text", "align": "right", "dx": -7, "fontSize": 11},
        "encoding": {"x": across, "y": y, "text": {"field": "text", "type": "nominal"}},
    }
    return {"layer": [poles, lines, labels]}


def _place(variable: Variable) -> str:
    """An expression for where a value stands on its axis, from 0 to 1: evenly where there are few, else to scale."""
    value = f"datum['{variable.field.key}']"
    if variable.numeric and variable.size > MOST_TICKS:
        low, high = variable.numbers[0], variable.numbers[-1]
        if variable.logarithmic:
            return f"log({value} / {low!r}) / log({high!r} / {low!r})"
        return f"({value} - ({low!r})) / ({high!r} - ({low!r}))"
    return f"indexof({json.dumps(_steps(variable))}, {value}) / {variable.size - 1}"


def _steps(variable: Variable) -> list[float] | list[str]:
    return variable.numbers if variable.numeric else [value.text for value in variable.field.values]


def _ticks(variable: Variable) -> list[tuple[float, str]]:
    if variable.numeric and variable.size > MOST_TICKS:
        return [(0, f"{variable.numbers[0]:.4g}"), (1, f"{variable.numbers[-1]:.4g}")]
    steps = [f"{step:.6g}" if isinstance(step, float) else step for step in _steps(variable)]
    shown = max(1, -(-len(steps) // 14))
    return [(at / (len(steps) - 1), text) for at, text in enumerate(steps) if at % shown == 0 or at == len(steps) - 1]


_MAKERS: Mapping[Kind, Callable[[Chart, Field, int], Spec]] = {
    "line": _line,
    "lines": _line,
    "bars": _bars,
    "grouped-bars": _bars,
    "strip": _strip,
    "heatmap": _heatmap,
    "scatter": _scatter,
    "parallel": _parallel,
}
