"""The timeline as Vega-Lite: attempts by slot, and below them the use of the capacity, on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.events import iso
from runner.reporters.html.theme import COLOUR
from runner.reporters.html.timeline import Bar
from runner.reporters.html.vega_lite import SCHEMA
from runner.units import format_duration


def unit(seconds: float) -> tuple[str, float]:
    """What an axis of that length counts in, and how many seconds that is."""
    for name, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return name, size
    return "seconds", 1.0


def spec(
    found: Sequence[Bar], used: Mapping[str, Sequence[tuple[float, float]]], begin: float, names: Mapping[str, str]
) -> dict[str, Any]:
    """Vega-Lite: the slots, and below them the use of the capacity, where a span can be chosen to look at closely."""
    end = max(bar.end for bar in found)
    word, size = unit(end - begin)
    slots = max(bar.slot for bar in found) + 1
    statuses = list(dict.fromkeys(bar.status for bar in found))
    resources = list(used)
    whole = [0, (end - begin) / size]
    data = [
        {
            "slot": bar.slot,
            "start": round((bar.start - begin) / size, 6),
            "end": round((bar.end - begin) / size, 6),
            "status": bar.status,
            "session": names.get(bar.attempt.session, bar.attempt.session),
            "attempt": bar.attempt.number,
            "began": iso(bar.start),
            "took": format_duration(bar.end - bar.start),
        }
        for bar in found
    ]
    curves = [
        {"at": round((at - begin) / size, 6), "share": round(share, 4), "resource": name}
        for name, steps in used.items()
        for at, share in steps
    ]
    chosen = {"param": "span", "encoding": "x"} if resources else None
    gantt: dict[str, Any] = {
        "height": max(60, min(420, 20 * slots)),
        "data": {"values": data},
        "mark": {
            "type": "bar",
            "clip": True,
            "minBandSize": 1,
            "stroke": "white",
            "strokeWidth": 0.5 if len(found) <= 500 else 0,
        },
        "encoding": {
            "x": {
                "field": "start",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": chosen or whole, "nice": False},
            },
            "x2": {"field": "end"},
            "y": {"field": "slot", "type": "ordinal", "title": "slot", "axis": {"labelOverlap": True, "minExtent": 44}},
            "color": {
                "field": "status",
                "type": "nominal",
                "title": None,
                "legend": {"orient": "top"},
                "scale": {"domain": statuses, "range": [COLOUR[status] for status in statuses]},
            },
            "tooltip": [{"field": name} for name in ("session", "attempt", "status", "began", "took")],
        },
    }
    if not resources:
        gantt["encoding"]["x"]["title"] = f"{word} since the beginning"
        return {"$schema": SCHEMA, "vconcat": [gantt]}
    curve: dict[str, Any] = {
        "height": 110,
        "data": {"values": curves},
        "params": [{"name": "span", "select": {"type": "interval", "encodings": ["x"]}}],
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": {
                "field": "at",
                "type": "quantitative",
                "title": f"{word} since the beginning",
                "scale": {"domain": whole, "nice": False},
            },
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "in use",
                "axis": {"format": ".0%", "tickCount": 4, "minExtent": 44},
                "scale": {"domainMin": 0, "nice": False, **({"domainMax": 1} if _within(used) else {})},
            },
            "color": {
                "field": "resource",
                "type": "nominal",
                "title": None,
                "legend": {"orient": "top"},
                "scale": {"domain": resources},
            },
            "strokeDash": {"field": "resource", "type": "nominal", "sort": resources, "legend": None},
        },
    }
    return {"$schema": SCHEMA, "vconcat": [gantt, curve], "resolve": {"scale": {"color": "independent"}}}


def _within(used: Mapping[str, Sequence[tuple[float, float]]]) -> bool:
    return all(share <= 1.0 for steps in used.values() for _, share in steps)
