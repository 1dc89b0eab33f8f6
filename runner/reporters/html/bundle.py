"""Vega, Vega-Lite and Vega-Embed as one script that needs no network, from the optional package `vl-convert-python`."""

from __future__ import annotations

VEGA_LITE = "6.4"

INSTALL = "pip install vl-convert-python"
"""The command that brings the plots."""


def script() -> str | None:
    """The script, which defines `window.vegaEmbed`; None without `vl-convert-python`. Takes about a second."""
    try:
        import vl_convert
    except ImportError:
        return None
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # In a function, so that its short names stay local. "</script" would end the element that the script is in.
    return "(() => {" + bundle.replace("</script", "<\\/script") + "\n})();"
