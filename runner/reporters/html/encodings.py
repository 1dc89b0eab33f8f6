"""The pieces that the plots are made of, as Vega-Lite. A field is known by the key of its column in the sheet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from runner.reporters.html.chart_choice import Variable
from runner.reporters.html.dataset import Field
from runner.results.columns import Quantity, apart
from runner.text import shortened

Spec: TypeAlias = dict[str, Any]

HEIGHT = 340

LONGEST_NAME = 24
"""Characters that a plot shows of a value that is no number; its tip has all of them."""

LETTER = 7
"""Pixels that one takes up, at most on average."""

ROUNDED = (
    "abs(datum.value) >= 100 && abs(datum.value) < 1e9 ? format(datum.value, ',.2~f') : format(datum.value, '.3~g')"
)
PRECISE = (
    "abs(datum.value) >= 1e4 && abs(datum.value) < 1e9 ? format(datum.value, ',.0f') : format(datum.value, '.4~g')"
)
DURATION = (
    "datum.value < 1 ? format(datum.value * 1000, ',~r') + ' ms' : datum.value < 120 ? format(datum.value, '~r') + ' s'"
    " : datum.value < 7200 ? format(datum.value / 60, '~r') + ' min' : format(datum.value / 3600, '~r') + ' h'"
)
MEMORY = (
    "datum.value < 1048576 ? format(datum.value / 1024, '.4~r') + ' KiB' : datum.value < 1073741824"
    " ? format(datum.value / 1048576, '.4~r') + ' MiB' : format(datum.value / 1073741824, '.4~r') + ' GiB'"
)


def has_number(metric: Field) -> Spec:
    return {"filter": f"isValid(datum['{metric.key}']) && isNumber(datum['{metric.key}'])"}


def labels_of(quantity: Quantity) -> Spec:
    """Labels that people read; Vega knows no seconds and no bytes."""
    labels = {"duration": DURATION, "memory": MEMORY}
    return {"labelExpr": labels[quantity]} if quantity in labels else {}


def number_text(metric: Field) -> str:
    """An expression: `datum.value` of this metric, for people."""
    expressions = {"duration": DURATION, "memory": MEMORY}
    return expressions.get(metric.quantity or "", PRECISE)


def across(variable: Variable, *, ordinal: bool = False) -> Spec:
    """The encoding of a variable along an axis."""
    named = {"field": variable.field.key, "title": variable.label}
    if not variable.numeric:
        return {**named, "type": "nominal", "sort": _texts(variable), "axis": _beside_each_other(variable)}
    axis: Spec = {"labelExpr": ROUNDED}
    if ordinal:
        return {
            **named,
            "type": "ordinal",
            "axis": {**axis, "labelAngle": 0 if variable.size <= 12 else -40, "labelOverlap": True},
        }
    scale: Spec = {"type": "log"} if variable.logarithmic else {"zero": False, "padding": 12}
    if variable.size <= 12:
        axis["values"] = variable.numbers
    return {**named, "type": "quantitative", "scale": {"nice": False, **scale}, "axis": axis}


def value_of(metric: Field, aggregate: str | None = "mean", **more: Any) -> Spec:
    found: Spec = {
        "field": metric.key,
        "type": "quantitative",
        "title": metric.label,
        "axis": labels_of(metric.quantity),
    }
    return {**found, **({"aggregate": aggregate} if aggregate else {}), **more}


def colour_by(variable: Variable) -> Spec:
    texts = _texts(variable)
    entry = 45 + LETTER * max(map(len, short_names(variable)))
    return {
        "field": variable.field.key,
        "type": "nominal",
        "title": variable.label,
        "sort": texts,
        "scale": {"domain": texts},
        "legend": {
            "orient": "top",
            "columns": {"expr": f"max(1, floor(width / {entry}))"},
            "symbolOpacity": 1,
            **_labels(variable),
        },
    }


def _texts(variable: Variable) -> list[str]:
    return [value.text for value in variable.field.values]


def short_names(variable: Variable) -> list[str]:
    """What a plot has room for of each value."""
    short = shortened(_texts(variable), LONGEST_NAME, "…")
    return [apart(short[text]) for text in _texts(variable)]


def _labels(variable: Variable) -> Spec:
    expression = f"{json.dumps(short_names(variable))}[indexof({json.dumps(_texts(variable))}, datum.value)]"
    return {"labelExpr": expression, "labelLimit": 220}


def _beside_each_other(variable: Variable) -> Spec:
    """An axis of names: slanted where they have no room, upright where even lines of text have none."""
    room = f"width / {variable.size}"
    level, slanted = f"{room} >= {LETTER * max(map(len, short_names(variable))) + 10}", f"{room} >= 20"
    return {
        **_labels(variable),
        "labelAngle": {"expr": f"{level} ? 0 : {slanted} ? -40 : -90"},
        "labelAlign": {"expr": f"{level} ? 'center' : 'right'"},
        "labelBaseline": {"expr": f"{slanted} ? 'top' : 'middle'"},
        "labelOverlap": {"expr": f"!({slanted})"},
    }


def described(over: Sequence[Variable], metric: Field) -> list[Spec]:
    """What a mark that stands for several sessions says of itself."""
    return [
        *({"field": one.field.key, "title": one.label} for one in over),
        {"field": metric.key, "aggregate": "mean", "type": "quantitative", "title": f"{metric.label}, mean"},
        {"aggregate": "count", "type": "quantitative", "title": "sessions"},
    ]


def together(keys: Sequence[str], metric: Field) -> list[Spec]:
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


def shade(metric: Field, field: str = "value") -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": metric.label,
        "scale": {"scheme": "viridis", "zero": False, "nice": False},
        "legend": {
            "orient": "right",
            "gradientLength": HEIGHT - 90,
            "gradientOpacity": 1,
            **labels_of(metric.quantity),
        },
    }
