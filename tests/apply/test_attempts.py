"""The values that a session reads from RUNNER_PARAMS."""

from __future__ import annotations

import json
from collections.abc import Callable

import yaml

from runner.apply.attempts import params_json
from runner.plan.plan import Plan


def test_numbers_are_numbers_to_json_and_to_yaml_1_1(plan_text: Callable[[str], Plan]) -> None:
    """PyYAML takes `1e-05` for a text."""
    texts = ["1e-5", "2.5e-7", "1e22", "-1e-10", "0.1", "1e16", "123456789012345678", "true", "'1e-5'", "e", "1e300"]
    sessions = plan_text(f"exec: [t, $x]\nranges: {{x: [{', '.join(texts)}]}}\n")
    for session in sessions:
        wanted = {"x": session.params["x"].data}
        assert json.loads(params_json(session)) == yaml.safe_load(params_json(session)) == wanted
