"""The plots as Vega-Lite, each for one metric: the templates of `charts.json`, filled.

They draw from the data set `sessions`, which has the keys of the data set's fields. The page sets the colours, as it knows
whether it is light or dark.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from runner.reporters.html.chart_choice import MOST_TICKS, Chart, Variable
from runner.reporters.html.dataset import Field
from runner.reporters.html.templates import Spec, fill
from runner.results.columns import Quantity, apart
from runner.text.shorten import shortened

MOST_CELL_TEXTS = 120
"""Cells of a heat map that show their numbers."""

MOST_LINES = 2000
"""Lines of parallel coordinates; of more combinations, a sample is drawn."""

LONGEST_NAME = 24
"""Characters that a plot shows of a value that is not a number; its tooltip shows all of them."""

LETTER_WIDTH = 7
"""Pixels, at most on average."""

AXIS_GAP = 14
"""Pixels between a label and the next axis of parallel coordinates; a longer label is cut."""

GOLDEN = 0.6180339887498949
"""The fractional parts of its multiples are spread evenly, so that the sample has no pattern in common with the plan."""

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 3], [1, 3])

ROUNDED = (
    "abs(datum.value) >= 100 && abs(datum.value) < 1e9 ? format(datum.value, ',.2~f') : format(datum.value, '.3~g')"
)
PRECISE = (
    "abs(datum.value) >= 1e4 && abs(datum.value) < 1e9 ? format(datum.value, ',.0f') : format(datum.value, '.4~g')"
)
QUANTITY_LABELS: dict[Quantity, str] = {
    "duration": (
        "datum.value < 1 ? format(datum.value * 1000, ',~r') + ' ms'"
        " : datum.value < 120 ? format(datum.value, '~r') + ' s'"
        " : datum.value < 7200 ? format(datum.value / 60, '~r') + ' min' : format(datum.value / 3600, '~r') + ' h'"
    ),
    "memory": (
        "datum.value < 1048576 ? format(datum.value / 1024, '.4~r') + ' KiB'"
        " : datum.value < 1073741824 ? format(datum.value / 1048576, '.4~r') + ' MiB'"
        " : format(datum.value / 1073741824, '.4~r') + ' GiB'"
    ),
}
"""Vega expressions for `datum.value` in seconds or bytes."""


def chart_spec(chart: Chart, metric: Field) -> Spec | None:
    """The plot of a metric; None where there is nothing to plot."""
    if chart.kind == "none" or not metric.numeric:
        return None
    label = QUANTITY_LABELS.get(metric.quantity)
    values: Spec = {
        "metric": metric.key,
        "label": metric.label,
        "value_axis": {"labelExpr": label or PRECISE},
        "value_label": label,
        "value_text": label or PRECISE,
        "variables": [{"field": one.field.key, "title": one.label} for one in chart.over],
        "keys": [one.field.key for one in chart.over],
    }
    match chart.kind:
        case "line" | "lines":
            template, more = "line", _line_values(chart, metric)
        case "bars" | "grouped-bars":
            template, more = "bars", _bar_values(chart, metric)
        case "strip":
            template, more = "strip", {"x": _axis(chart.over[0], ordinal=chart.over[0].size <= MOST_TICKS)}
        case "heatmap":
            template, more = "heatmap", _heatmap_values(chart)
        case "scatter":
            template, more = "scatter", dict(zip("xy", map(_axis, chart.over), strict=True))
        case "parallel":
            template, more = "parallel", _parallel_values(chart, metric)
    spec: Spec = fill("chart", {}) | fill(template, values | more)
    return spec


def _line_values(chart: Chart, metric: Field) -> Spec:
    values: Spec = {"x": _axis(chart.over[0]), "series": None, "dashes": None}
    if len(chart.over) > 1:
        series = values["series"] = _colour(chart.over[1])
        series["legend"] |= {"symbolType": "stroke", "symbolStrokeWidth": 3, "symbolSize": 400}
        texts = series["sort"]
        dashes = [list(dash) for dash in DASHES[: len(texts)]]
        values["dashes"] = {**series, "scale": {"domain": texts, "range": dashes}}
    return values if metric.key in chart.spread else values | {"band": None}


def _bar_values(chart: Chart, metric: Field) -> Spec:
    values: Spec = {"x": _axis(chart.over[0]), "series": None, "offset": None}
    if len(chart.over) > 1:
        series = values["series"] = _colour(chart.over[1])
        values["offset"] = {"field": chart.over[1].field.key, "type": "nominal", "sort": series["sort"]}
    return values if metric.key in chart.spread else values | {"whiskers": None}


def _heatmap_values(chart: Chart) -> Spec:
    x, y = (_axis(one, ordinal=True) for one in chart.over)
    y |= {"sort": "descending", "axis": {**y["axis"], "labelAngle": 0}}
    first, second = chart.over
    return {"x": x, "y": y} | ({} if first.size * second.size <= MOST_CELL_TEXTS else {"cell_texts": None})


def _parallel_values(chart: Chart, metric: Field) -> Spec:
    """One line for each combination; the last axis is the metric."""
    names = {f"p{at}": one.label for at, one in enumerate(chart.over)} | {"metric": metric.label}
    order = list(names)
    share = MOST_LINES / chart.combinations
    return {
        "order": order,
        "names": json.dumps(names),
        "axes": [{"axis": name} for name in order],
        "label_limit": {"expr": f"width / {len(order)} - {AXIS_GAP}"},
        "sampling": {"filter": f"datum.line * {GOLDEN} % 1 < {share}"} if share < 1 else None,
        "positions": [{"calculate": _position(one), "as": f"p{at}"} for at, one in enumerate(chart.over)],
        "line_opacity": 0.75 if chart.combinations <= 300 else 0.4,
        "ticks": [
            {"axis": f"p{number}", "at": at, "text": text}
            for number, one in enumerate(chart.over)
            for at, text in _ticks(one)
        ],
    }


def _axis(variable: Variable, *, ordinal: bool = False) -> Spec:
    """The encoding of a variable along an axis."""
    encoding = {"field": variable.field.key, "title": variable.label}
    if not variable.numeric:
        return {**encoding, "type": "nominal", "sort": _texts(variable), "axis": _name_axis(variable)}
    axis: Spec = {"labelExpr": ROUNDED}
    if ordinal:
        axis |= {"labelAngle": 0 if variable.size <= 12 else -40, "labelOverlap": True}
        return {**encoding, "type": "ordinal", "axis": axis}
    scale: Spec = {"type": "log"} if variable.logarithmic else {"zero": False, "padding": 12}
    if variable.size <= 12:
        axis["values"] = variable.numbers
    # All values, also those without a point: else their labels are at the place of the others.
    domain = [variable.numbers[0], variable.numbers[-1]]
    return {**encoding, "type": "quantitative", "scale": {"nice": False, "domain": domain, **scale}, "axis": axis}


def _colour(variable: Variable) -> Spec:
    texts = _texts(variable)
    entry_width = 45 + LETTER_WIDTH * max(map(len, _short_names(variable)))
    columns = {"expr": f"max(1, floor(width / {entry_width}))"}
    return {
        "field": variable.field.key,
        "type": "nominal",
        "title": variable.label,
        "sort": texts,
        "scale": {"domain": texts},
        "legend": {"orient": "top", "columns": columns, "symbolOpacity": 1, **_name_labels(variable)},
    }


def _texts(variable: Variable) -> list[str]:
    return [value.text for value in variable.field.values]


def _short_names(variable: Variable) -> list[str]:
    """Each value in at most LONGEST_NAME characters where they still differ."""
    short = shortened(_texts(variable), LONGEST_NAME, "…")
    return [apart(short[text]) for text in _texts(variable)]


def _name_labels(variable: Variable) -> Spec:
    expression = f"{json.dumps(_short_names(variable))}[indexof({json.dumps(_texts(variable))}, datum.value)]"
    return {"labelExpr": expression, "labelLimit": 220}


def _name_axis(variable: Variable) -> Spec:
    """An axis of names: slanted where they are too long for their bands, upright where the bands are narrow."""
    band = f"width / {variable.size}"
    level = f"{band} >= {LETTER_WIDTH * max(map(len, _short_names(variable))) + 10}"
    slanted = f"{band} >= 20"
    return {
        **_name_labels(variable),
        "labelAngle": {"expr": f"{level} ? 0 : {slanted} ? -40 : -90"},
        "labelAlign": {"expr": f"{level} ? 'center' : 'right'"},
        "labelBaseline": {"expr": f"{slanted} ? 'top' : 'middle'"},
        "labelOverlap": {"expr": f"!({slanted})"},
    }


def _position(variable: Variable) -> str:
    """A Vega expression for the position of a value on its axis, from 0 to 1: evenly spaced, or to scale if there are many."""
    value = f"datum['{variable.field.key}']"
    if variable.numeric and variable.size > MOST_TICKS:
        low, high = variable.numbers[0], variable.numbers[-1]
        if variable.logarithmic:
            return f"log({value} / {low!r}) / log({high!r} / {low!r})"
        return f"({value} - ({low!r})) / ({high!r} - ({low!r}))"
    steps: Sequence[Any] = variable.numbers if variable.numeric else _texts(variable)
    return f"indexof({json.dumps(steps)}, {value}) / {variable.size - 1}"


def _ticks(variable: Variable) -> list[tuple[float, str]]:
    """Positions and texts; the ends of the axis where it is to scale, else at most 15 of the values."""
    if variable.numeric and variable.size > MOST_TICKS:
        return [(0, _number_text(variable.numbers[0])), (1, _number_text(variable.numbers[-1]))]
    texts = list(map(_number_text, variable.numbers)) if variable.numeric else _short_names(variable)
    last = len(texts) - 1
    step = max(1, -(-len(texts) // 14))
    return [(at / last, text) for at, text in enumerate(texts) if at % step == 0 or at == last]


def _number_text(number: float) -> str:
    return f"{number:.4g}" if abs(number) < 1e4 else f"{number:.10g}"
