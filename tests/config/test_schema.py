"""The schema of the sweep file, and the messages for files that do not match it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing import Registry, Resource

from runner.backends import BACKENDS
from runner.config import schema
from runner.config.schema_errors import describe
from runner.config.schema_mismatch import Mismatch
from runner.config.yaml import MappingNode, RefusedNode, parse, plain, read
from runner.diagnostics import Problem, Source
from tests.paths import TESTS

SWEEP = schema.load("sweep")


def problems(text: str) -> list[Problem]:
    document, found = parse(Source("sweep.yaml", text))
    assert found == []
    assert document is not None
    return schema.check(document)[1]


def messages(text: str) -> list[str]:
    return [problem.message for problem in problems(text)]


def subschemas(at: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping of the schema that is a schema or a map of schemas, with its JSON pointer."""
    if isinstance(at, dict) and not path.endswith("/const"):
        yield path, at
        for key, inner in at.items():
            if key not in ("default", "examples"):
                yield from subschemas(inner, f"{path}/{key}")


def stated() -> Iterator[Any]:
    for path, part in subschemas(SWEEP):
        for instance in [*part.get("examples", []), *([part["default"]] if "default" in part else [])]:
            yield pytest.param(path, instance, id=f"{path}={json.dumps(instance)[:40]}")


@pytest.mark.parametrize(("path", "instance"), list(stated()))
def test_default_or_example_matches_its_schema(path: str, instance: Any) -> None:
    registry: Registry[Any] = Registry().with_resource("sweep", Resource.from_contents(SWEEP))
    reference = {"$ref": f"sweep{path}", "$schema": SWEEP["$schema"]}
    jsonschema.Draft202012Validator(reference, registry=registry).validate(instance)


@pytest.mark.parametrize("name", ["sweep", "problems"])
def test_schema_is_a_valid_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema.load(name))
    path = TESTS.parent / "schemas" / f"{name}.schema.json"
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--check-metaschema", path],
        check=True,
        capture_output=True,
    )


def test_unknown_schema_name() -> None:
    with pytest.raises(KeyError):
        schema.load("nonsense")


def test_every_key_has_title_description_and_examples() -> None:
    for path, part in subschemas(SWEEP):
        for key, inner in part.get("properties", {}).items():
            if path.endswith(("/then", "/else")):
                continue
            assert inner.keys() >= {"title", "description", "examples"}, f"{path}/{key}"


def test_every_backend_allows_only_its_options() -> None:
    backend = SWEEP["properties"]["backend"]
    closed = {part["if"]["properties"]["kind"]["const"]: part["then"] for part in backend["allOf"]}
    assert closed.keys() == BACKENDS.keys()
    assert not any(part["additionalProperties"] for part in closed.values())
    assert {name for part in closed.values() for name in part["properties"]} == backend["properties"].keys()


def test_only_mappings_with_names_of_users_are_open() -> None:
    open_maps = [
        path
        for path, part in subschemas(SWEEP)
        if "properties" in part
        and not path.endswith(("/then", "/else"))
        and part.get("additionalProperties", True) is not False
    ]
    assert open_maps == ["#/properties/resources", "#/properties/capacity", "#/properties/backend"]


def test_good_files_match_the_schema() -> None:
    for path in (TESTS / "good").iterdir():
        document, _ = parse(read(path))
        assert document is not None
        assert schema.check(document) == (document, []), path


def test_refused_values_leave_the_document() -> None:
    document, _ = parse(Source("", "exec: a\nstop: {failures: ten}\nretry: {limit: 1, on: [x, lost]}\nfoo: 1\n"))
    assert document is not None
    accepted, found = schema.check(document)
    assert len(found) == 3
    assert plain(accepted) == {
        "exec": "a",
        "stop": {"failures": None},
        "retry": {"limit": 1, "on": [None, "lost"]},
        "foo": 1,
    }
    stop = accepted.get("stop")
    assert isinstance(stop, MappingNode)
    assert isinstance(stop.get("failures"), RefusedNode)


SCALARS = st.sampled_from(
    (
        None,
        True,
        0,
        1,
        -1,
        1.5,
        2.0,
        1e400,
        "",
        *[
            "x",
            "1",
            "-1",
            "0",
            "0s",
            "10m",
            "1x",
            "256m",
            "5%",
            "0%",
            "$x",
            "repeat",
            "A=b",
            "lost",
            "a/b",
            ".x",
        ],
    )
)
NAMES = st.sampled_from(
    "x a/b repeat A=b cpu mem limit on size failures json key regex last_line kind case range".split()  # noqa: SIM905
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(SWEEP["properties"])), DATA)
def test_every_mismatch_has_a_message(key: str, value: Any) -> None:
    document, _ = parse(Source("", json.dumps({"exec": "x", key: value}).replace("Infinity", ".inf")))
    assert document is not None
    data = plain(document)
    _, found = schema.check(document)
    assert bool(found) != schema.validator().is_valid(data)
    assert len(found) == len({(problem.span, problem.message) for problem in found})
    for problem in found:
        assert "does not match" not in problem.message


def test_mismatch_of_an_unknown_keyword_has_a_message() -> None:
    document, _ = parse(Source("", "exec: a"))
    assert document is not None
    mismatch = Mismatch(
        document=document,
        path=("exec",),
        keyword="multipleOf",
        expected=2,
        value=3,
        schemas=({"multipleOf": 2},),
        is_name=False,
    )
    assert [problem.message for problem in describe(mismatch)] == ["`exec` does not match `multipleOf: 2`"]


@pytest.mark.parametrize("key", sorted(SWEEP["properties"].keys() - {"exec", "code", "build"}))
def test_exec_or_code_is_required_beside_every_other_key(key: str) -> None:
    assert "`exec` or `code` is missing" in messages(f"{key}: x\n")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("resource: {}", "unknown key `resource`", "did you mean `resources`?"),
        ("command: x", "unknown key `command`", "did you mean `exec`?"),
        ("limit: 3", "unknown key `limit`", "`limit` is a key of `retry`"),
        ("qwertz: 3", "unknown key `qwertz`", "choose from " + ", ".join(f"`{key}`" for key in SWEEP["properties"])),
        ("sample: {size: 1, sed: 2}", "unknown key `sed` in `sample`", "did you mean `seed`?"),
        ("sample: {size: 1, x: 2}", "unknown key `x` in `sample`", "choose from `size`, `seed`"),
        ("sample: {sise: 1}", "unknown key `sise` in `sample`", "did you mean `size`?"),
        ("sample: {}", "`sample` needs `size`", None),
        ("sample: 5", "`sample` must be a mapping, not `5`", "write `sample: {size: 5}`"),
        ("repeat: '3'", "`repeat` must be a whole number, not the string `3`", "remove the quotes"),
        ("repeat: 2.0", "`repeat` must be a whole number, not `2.0`", None),
        ("repeat: true", "`repeat` must be a whole number, not `true`", None),
        ("repeat:", "`repeat` has no value", "give it a whole number, or remove it"),
        ("repeat: ~", "`repeat` must be a whole number, not `~`", None),
        ("repeat: 0", "`repeat` must be at least 1, not 0", None),
        ("image: 3.11", "`image` must be a string, not `3.11`", 'quote it: `"3.11"`'),
        ("env: {A: }", "`env.A` has no value", 'an empty text is written `""`'),
        ("env: {A=1: x}", "`A=1` is not an environment variable name", "write `A: 1`"),
        ("env: {'': x}", "an empty environment variable name", "it cannot contain `=`"),
        ("secrets: [A, A]", "`A` is given twice", "remove one of them"),
        ("ranges: {a-b: [1]}", "`a-b` is not a variable name", "write `a_b`"),
        ("ranges: {1a: [1]}", "`1a` is not a variable name", "use letters, digits and `_`, and no digit first"),
        ("ranges: {repeat: [1]}", "the name `repeat` is reserved", "choose another name"),
        ("ranges: {x: 5}", "`ranges.x` must be a list, a string or a mapping, not `5`", "write `[5]`"),
        ("ranges: {x: [[1]]}", "an item of `ranges.x` must be a single value, not a list", None),
        ("ranges: {x: [.inf]}", "`.inf` is not a finite number", 'if text is meant, quote it: `".inf"`'),
        ("ranges: {x: {linspce: [1]}}", "unknown kind of range `linspce` in `ranges.x`", "did you mean `linspace`?"),
        ("ranges: {x: {case: [1], range: [2]}}", "`case` and `range` cannot be combined", "a range has one kind"),
        ("ranges: {x: []}", "`ranges.x` is empty", None),
        ("zip: [a, b]", "`zip` must be a list of lists", "write `[[a, b]]`"),
        ("zip: [[a]]", "a group in `zip` needs at least 2 names", None),
        ("exclude: {a: 1}", "`exclude` must be a list, not a mapping", "begin each item with `- `"),
        ("include: [{}]", "an item of `include` is empty", None),
        ("resources: {cpu: -1}", "the number `-1` is negative", None),
        ("resources: {cpu: 2g}", "the amount `2g` has a unit", "only `mem` takes a unit"),
        ("resources: {cpu: lots}", "`lots` is not a number", "such as `2` or `0.5`"),
        ("resources: {cpu: .nan}", "`.nan` is not a number", "such as `2` or `0.5`"),
        ("resources: {mem: 256}", "the memory amount `256` has no unit", "write `256m` or `256g`"),
        ("resources: {mem: 2q}", "unknown unit of memory `q`", "the units are `k`, `m`, `g` and `t`"),
        ("resources: {mem: 2s}", "unknown unit of memory `s`", "the units are `k`, `m`, `g` and `t`"),
        ("resources: {a b: 1}", "`a b` is not a resource name", None),
        ("capacity: {cpu: $x}", "`$x` is not a number", "such as `2` or `0.5`"),
        ("timeout: 0", "`timeout` must be more than 0", "for no limit, leave out `timeout`"),
        ("timeout: 0s", "`timeout` must be more than 0", "for no limit, leave out `timeout`"),
        ("timeout: -1", "the time `-1` is negative", None),
        ("timeout: soon", "`soon` is not a time", "such as `90s`, `10m` or `1.5h`"),
        ("timeout: 3w", "unknown unit of time `w`", "the units are `s`, `m`, `h` and `d`"),
        ("grace: [1]", "`grace` must be a time, not a list", None),
        ("retry: {limit: 1, on: [timeout]}", "unknown cause `timeout`", "did you mean `timed-out`?"),
        ("retry: {limit: 1, on: [{}]}", "an item of `retry.on` must be a string, not a mapping", None),
        (
            "retry: {limit: 1, on: [x]}",
            "unknown cause `x`",
            "choose from `failed`, `timed-out`, `lost`, `out-of-memory`",
        ),
        (
            "stop: {failures: 0%}",
            "`stop.failures` must be a whole number or a percentage, not `0%`",
            "such as `10` or `5%`",
        ),
        ("metrics: {a: {}}", "`metrics.a` needs `json`, `regex` or `last_line`", "such as `{json: metrics.json}`"),
        (
            "metrics: {a: {key: x}}",
            "`metrics.a` needs `json`, `regex` or `last_line`",
            "such as `{json: metrics.json}`",
        ),
        ("metrics: {a: {regex: x, key: y}}", "`regex` and `key` cannot be combined", "remove one of them"),
        ("backend: {}", "`backend` needs `kind`", None),
        ("backend: {knd: local}", "`backend` needs `kind`", None),
        ("build: make", "`build` needs `files`", "list what the build reads, such as `files: [main.c, Makefile]`"),
        (
            "name: .x",
            "`name` must be a folder name without `/` and without a dot at the beginning, not `.x`",
            "such as `lr-search`",
        ),
        ("name: " + "x" * 81, "`name` is longer than 80 characters", None),
        ("code: x", "`exec` and `code` cannot be combined", "remove one of them"),
    ],
)
def test_mismatch_has_one_problem(text: str, message: str, hint: str | None) -> None:
    (problem,) = problems(f"exec: a\n{text}\n")
    assert (problem.message, problem.hint) == (message, hint)
    assert problem.span is not None
    assert problem.span.line == 1


@pytest.mark.parametrize(
    "text",
    [
        "retry: {limit: 0}",
        "grace: 0",
        "timeout: 500ms",
        "resources: {mem: 1.5GiB, cpu: .5, x: '2', y: '${a}m'}",
        "stop: {failures: 100%}",
        "metrics: {a: {json: x.json}}",
        "backend: {kind: x, anything: [1]}",
        "files: []",
        "ranges: {}",
        "ranges: {_: [~, true, 1e-3]}",
        "exclude: [{a: ~}]",
    ],
)
def test_valid_value(text: str) -> None:
    assert problems(f"exec: [a, 1, true, '', 1e-3]\n{text}\n") == []


def test_mismatch_in_an_aliased_node_is_reported_once() -> None:
    assert messages("exec: a\nresources: &r {cpu: -1}\ncapacity: *r\n") == [
        "the number `-1` is negative",
    ]
    assert messages("exec: a\ninclude: [&x {}, *x, *x]\n") == ["an item of `include` is empty"]
