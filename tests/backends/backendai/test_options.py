from __future__ import annotations

import pytest

from runner.backends.backendai.options import DEFAULT_ENDPOINT, parse_mounts, read
from runner.errors import InvalidInput

KEYS = {"BACKEND_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE", "BACKEND_SECRET_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


def test_file_overrides_environment() -> None:
    environ = {**KEYS, "BACKEND_ENDPOINT": "https://one.example/", "BACKEND_GROUP": "lab", "BACKEND_DOMAIN": "research"}
    options = read({"group": "other"}, environ)
    assert (options.endpoint, options.group, options.job["domain"]) == ("https://one.example", "other", "research")
    assert read({"endpoint": "http://two.example"}, environ).endpoint == "http://two.example"
    assert read({}, KEYS).endpoint == DEFAULT_ENDPOINT


def test_repr_does_not_show_the_keys() -> None:
    shown = repr(read({}, KEYS))
    assert not any(key in shown for key in KEYS.values())


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        ({}, {}, "BACKEND_ACCESS_KEY is not set"),
        ({}, {"BACKEND_ACCESS_KEY": "A"}, "BACKEND_SECRET_KEY is not set"),
        ({}, {**KEYS, "BACKEND_SECRET_KEY": "ä"}, "BACKEND_SECRET_KEY contains an invalid character"),
        ({"endpoint": "bai.example"}, KEYS, "`bai.example` is not an http or https address"),
        ({"endpoint": "https://me@bai.example"}, KEYS, "the endpoint contains a user"),
        ({"cluster_size": "many"}, KEYS, "`cluster_size` of backend `backend.ai` is not an integer"),
        ({"resource_opts": ["shmem"]}, KEYS, "`shmem` in option `resource_opts` is not `KEY=VALUE`"),
        ({"resource_opts": ["=64m"]}, KEYS, "`=64m` in option `resource_opts` is not `KEY=VALUE`"),
        ({"bootstrap_script": "/nowhere"}, KEYS, "cannot read the bootstrap script"),
        ({}, {**KEYS, "BACKEND_ENDPOINT_TYPE": "session"}, "is not `api`"),
        ({}, {**KEYS, "BACKEND_CONNECTION_TIMEOUT": "soon"}, "`soon` is not a number of seconds"),
    ],
)
def test_invalid_option_is_reported(options: dict[str, object], environ: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(options, environ)


def test_mounts_in_the_three_forms_of_the_official_client() -> None:
    assert parse_mounts(["a", "b=/data", "c:sub", "a", "d=x:y"]) == (
        ["a", "b", "c", "d"],
        {"b": "/data", "c": "sub", "d": "x:y"},
    )
