"""Vega-Lite as one script that needs no network, from `vl-convert-python`: the extra `runner[report]`."""

from __future__ import annotations

import shlex
import sys

from runner.errors import EnvironmentFailed

VEGA_LITE = "6.4"


def script() -> str:
    """Vega, Vega-Lite and Vega-Embed, as `window.vegaEmbed`. Takes a second. Raises EnvironmentFailed without the extra."""
    try:
        import vl_convert
    except ImportError as error:
        command = shlex.join([sys.executable, "-m", "pip", "install", "runner[report]"])
        raise EnvironmentFailed("the plots of a report need `vl-convert-python`", f"install it: `{command}`") from error
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # Its hundreds of short names stay its own, and nothing in it ends the element that it stands in.
    return "(() => {" + bundle.replace("</script", "<\\/script") + "\n})();"
