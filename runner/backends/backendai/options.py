"""Which cluster, as whom, and what every job of a sweep asks for: the official client's variables, and the file's options."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runner.errors import InvalidInput

DEFAULT_ENDPOINT = "https://api.cloud.backend.ai"
"""The official client's."""

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Config:
    """Where and as whom. `job` is what each session's creation asks for besides its own things, as the API words it."""

    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    domain: str
    group: str
    verify: bool
    connect_timeout: float
    job: Mapping[str, Any] = field(repr=False)


def read(options: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """What the file says wins over the environment. Raises InvalidInput."""
    endpoint = str(options.get("endpoint") or _get(environ, "ENDPOINT") or DEFAULT_ENDPOINT).split(",")[0].strip()
    _check_address(endpoint)
    if _get(environ, "ENDPOINT_TYPE", "api") != "api":
        raise InvalidInput(
            "BACKEND_ENDPOINT_TYPE is not `api`",
            "runner signs its requests with keys: point BACKEND_ENDPOINT at the manager's API",
        )
    access, secret = _key(environ, "ACCESS_KEY"), _key(environ, "SECRET_KEY")
    domain = str(options.get("domain") or _get(environ, "DOMAIN", "default"))
    group = str(options.get("group") or _get(environ, "GROUP", "default"))
    return Config(
        endpoint=endpoint.rstrip("/"),
        access_key=access,
        secret_key=secret,
        domain=domain,
        group=group,
        verify=_get(environ, "SKIP_SSLCERT_VALIDATION", "no").lower() not in ("y", "yes", "t", "true", "1"),
        connect_timeout=_seconds(_get(environ, "CONNECTION_TIMEOUT", "10")),
        job=_job(options, environ, domain, group),
    )


def _check_address(endpoint: str) -> None:
    try:
        address = urlsplit(endpoint)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(
            f"the endpoint `{endpoint}` is no http or https address", "such as `https://api.example.com`"
        )
    if "@" in address.netloc:
        raise InvalidInput("the endpoint names a user", "keys belong into BACKEND_ACCESS_KEY and BACKEND_SECRET_KEY")


def _key(environ: Mapping[str, str], name: str) -> str:
    key = _get(environ, name).strip()
    if not key:
        raise InvalidInput(
            f"BACKEND_{name} is not set in the environment",
            "export the keypair that the web console shows for your account",
        )
    if not key.isascii() or not key.isprintable():
        raise InvalidInput(f"BACKEND_{name} holds characters that no key has", "copy it from the web console again")
    return key


def _job(options: Mapping[str, Any], environ: Mapping[str, str], domain: str, group: str) -> dict[str, Any]:
    mounts, places = parse_mounts([*_list(options.get("mounts")), *_list(_get(environ, "VFOLDER_MOUNTS"))])
    machine = platform.machine()
    inner: dict[str, Any] = {
        "mounts": mounts,
        "mount_map": places,
        "resource_opts": _pairs("resource_opts", options.get("resource_opts")),
        "preopen_ports": [_whole("preopen", port) for port in _list(options.get("preopen"))],
        "scalingGroup": options.get("scaling_group"),
    }
    if options.get("assign_agent"):
        inner["agentList"] = _list(options["assign_agent"])
    return {
        "domain": domain,
        "group": group,
        "architecture": str(options.get("architecture") or _ARCHITECTURES.get(machine, machine)),
        "clusterSize": _whole("cluster_size", options.get("cluster_size") or 1),
        "clusterMode": str(options.get("cluster_mode") or "single-node"),
        "tag": options.get("tag"),
        "starts_at": options.get("starts_at"),
        "callback_url": options.get("callback_url"),
        "bootstrap_script": read_script(options.get("bootstrap_script")),
        "config": inner,
    }


def parse_mounts(texts: list[str]) -> tuple[list[str], dict[str, str]]:
    """The three forms of the official client: `NAME`, `NAME=PATH`, `NAME:PATH`. Names once each, and the paths of some."""
    places: dict[str, str] = {}
    names: dict[str, None] = {}
    for text in texts:
        separator = "=" if "=" in text else ":"
        name, given, path = text.partition(separator)
        names[name] = None
        if given:
            places[name] = path
    return list(names), places


def _get(environ: Mapping[str, str], name: str, default: str = "") -> str:
    return environ.get(f"BACKEND_{name}") or environ.get(f"SORNA_{name}") or default


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidInput(f"BACKEND_CONNECTION_TIMEOUT is no number of seconds: `{text}`")
    return seconds


def _whole(name: str, value: Any) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise InvalidInput(f"option `{name}` of backend `backend.ai` is no whole number: `{value}`") from error


def _list(value: Any) -> list[str]:
    """A list of words, also as a text with commas."""
    if not value:
        return []
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value).split(",")


def _pairs(name: str, value: Any) -> dict[str, str]:
    """A mapping, also as a list of `KEY=VALUE`."""
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    pairs = [text.partition("=") for text in _list(value)]
    for key, equals, rest in pairs:
        if not equals or not key:
            raise InvalidInput(f"`{key}{equals}{rest}` in option `{name}` is not `KEY=VALUE`", "such as `shmem=64m`")
    return {key: rest for key, _, rest in pairs}


def read_script(path: Any) -> str | None:
    """The bootstrap script's text. Raises InvalidInput."""
    if not path:
        return None
    try:
        return Path(str(path)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read the bootstrap script `{path}`") from error
