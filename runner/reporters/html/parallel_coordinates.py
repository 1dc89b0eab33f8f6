"""Many variables at once: parallel coordinates, as Vega-Lite."""

from __future__ import annotations

import json

from runner.reporters.html.chart_choice import MOST_TICKS, Chart, Variable
from runner.reporters.html.dataset import Field
from runner.reporters.html.encodings import Spec, has_number, shade, short_names, together

MOST_LINES = 2000
"""Of more combinations, some are drawn."""

GAP = 14
"""Pixels between a label and the next axis; what is longer is cut."""

GOLDEN = 0.6180339887498949
"""Its multiples without their whole parts are spread evenly: what they choose has no pattern in common with a plan."""


def parallel(chart: Chart, metric: Field) -> Spec:
    """One line for each combination; its last axis is the metric, which colours it, too."""
    keys = [one.field.key for one in chart.over]
    places = [f"p{at}" for at in range(len(keys))]
    names = {place: one.label for place, one in zip(places, chart.over, strict=True)} | {"metric": metric.label}
    share = MOST_LINES / chart.combinations
    ticks = [
        {"axis": place, "at": at, "text": text}
        for place, one in zip(places, chart.over, strict=True)
        for at, text in _ticks(one)
    ]
    order = [*places, "metric"]
    room = {"expr": f"width / {len(order)} - {GAP}"}
    across = {
        "field": "axis",
        "type": "ordinal",
        "sort": order,
        "scale": {"type": "point", "domain": order, "padding": 0.5},
        "axis": {
            "labelExpr": f"({json.dumps(names)})[datum.value]",
            "title": None,
            "labelAngle": 0,
            "labelLimit": room,
            "orient": "top",
            "labelFontWeight": "bold",
            "domain": False,
            "ticks": False,
        },
    }
    y: Spec = {"field": "at", "type": "quantitative", "axis": None, "scale": {"domain": [-0.05, 1.08]}}
    bounds = [{"op": "min", "field": "value", "as": "low"}, {"op": "max", "field": "value", "as": "high"}]
    lines = {
        "transform": [
            has_number(metric),
            *together(keys, metric),
            {"joinaggregate": bounds},
            {"window": [{"op": "row_number", "as": "line"}]},
            *([{"filter": f"datum.line * {GOLDEN} % 1 < {share}"}] if share < 1 else []),
            *({"calculate": _place(one), "as": place} for place, one in zip(places, chart.over, strict=True)),
            {
                "calculate": "datum.high > datum.low ? (datum.value - datum.low) / (datum.high - datum.low) : 0.5",
                "as": "metric",
            },
            {"fold": order, "as": ["axis", "at"]},
        ],
        "mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.75 if chart.combinations <= 300 else 0.4},
        "encoding": {
            "x": across,
            "y": y,
            "detail": {"field": "line", "type": "nominal"},
            "color": shade(metric),
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
    labels = [
        {
            "data": {"values": ticks},
            "mark": {"type": "text", "align": "left", "dx": 7, "fontSize": 12, "limit": room, **style},
            "encoding": {"x": across, "y": y, "text": {"field": "text", "type": "nominal"}},
        }
        for style in ({"style": "halo"}, {})
    ]
    return {"layer": [poles, lines, *labels]}


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
        return [(0, _text(variable.numbers[0])), (1, _text(variable.numbers[-1]))]
    steps = list(map(_text, variable.numbers)) if variable.numeric else short_names(variable)
    shown = max(1, -(-len(steps) // 14))
    return [(at / (len(steps) - 1), text) for at, text in enumerate(steps) if at % shown == 0 or at == len(steps) - 1]


def _text(number: float) -> str:
    return f"{number:.4g}" if abs(number) < 1e4 else f"{number:.10g}"
