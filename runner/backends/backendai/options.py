"""Options of the backend: the account, and the fields that all sessions of a sweep share.

They come from the official client's environment variables and the sweep file.
"""

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
"""As in the official client."""

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class BackendAIOptions:
    """The account, and what all sessions of a sweep share."""

    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    verify: bool
    """Verify TLS certificates."""
    connect_timeout: float
    """Seconds."""
    job: Mapping[str, Any] = field(repr=False)
    """Fields of each session's creation, named as in the API."""

    @property
    def group(self) -> str:
        return str(self.job["group"])


def read(options: Mapping[str, Any], environ: Mapping[str, str]) -> BackendAIOptions:
    """Return the options; those of the sweep file override the environment. Raises InvalidInput."""
    endpoint = str(options.get("endpoint") or _get(environ, "ENDPOINT") or DEFAULT_ENDPOINT).split(",")[0].strip()
    _check_endpoint(endpoint)
    if _get(environ, "ENDPOINT_TYPE", "api") != "api":
        raise InvalidInput(
            "BACKEND_ENDPOINT_TYPE is not `api`",
            "runner signs its requests with keys: set BACKEND_ENDPOINT to the manager's API",
        )
    return BackendAIOptions(
        endpoint=endpoint.rstrip("/"),
        access_key=_key(environ, "ACCESS_KEY"),
        secret_key=_key(environ, "SECRET_KEY"),
        verify=_get(environ, "SKIP_SSLCERT_VALIDATION", "no").lower() not in ("y", "yes", "t", "true", "1"),
        connect_timeout=_seconds(_get(environ, "CONNECTION_TIMEOUT", "10")),
        job=_job(options, environ),
    )


def _check_endpoint(endpoint: str) -> None:
    try:
        address = urlsplit(endpoint)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(
            f"the endpoint `{endpoint}` is not an http or https address", "such as `https://api.example.com`"
        )
    if "@" in address.netloc:
        raise InvalidInput(
            "the endpoint contains a user", "set the keys in BACKEND_ACCESS_KEY and BACKEND_SECRET_KEY instead"
        )


def _key(environ: Mapping[str, str], name: str) -> str:
    key = _get(environ, name).strip()
    if not key:
        raise InvalidInput(
            f"BACKEND_{name} is not set in the environment",
            "export the keypair that the web console shows for your account",
        )
    if not key.isascii() or not key.isprintable():
        raise InvalidInput(f"BACKEND_{name} contains an invalid character", "copy it from the web console again")
    return key


def _job(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a session's creation that do not depend on the attempt, named as in the API."""
    mounts, mount_map = parse_mounts([*_list(options.get("mounts")), *_list(_get(environ, "VFOLDER_MOUNTS"))])
    machine = platform.machine()
    config: dict[str, Any] = {
        "mounts": mounts,
        "mount_map": mount_map,
        "resource_opts": _pairs("resource_opts", options.get("resource_opts")),
        "preopen_ports": [_integer("preopen", port) for port in _list(options.get("preopen"))],
        "scalingGroup": options.get("scaling_group"),
    }
    if options.get("assign_agent"):
        config["agentList"] = _list(options["assign_agent"])
    return {
        "domain": str(options.get("domain") or _get(environ, "DOMAIN", "default")),
        "group": str(options.get("group") or _get(environ, "GROUP", "default")),
        "architecture": str(options.get("architecture") or _ARCHITECTURES.get(machine, machine)),
        "clusterSize": _integer("cluster_size", options.get("cluster_size") or 1),
        "clusterMode": str(options.get("cluster_mode") or "single-node"),
        "tag": options.get("tag"),
        "starts_at": options.get("starts_at"),
        "callback_url": options.get("callback_url"),
        "bootstrap_script": read_script(options.get("bootstrap_script")),
        "config": config,
    }


def parse_mounts(texts: list[str]) -> tuple[list[str], dict[str, str]]:
    """Parse `NAME`, `NAME=PATH` and `NAME:PATH`, the forms of the official client.

    Returns the names without duplicates, and the paths of those that have one.
    """
    paths: dict[str, str] = {}
    names: dict[str, None] = {}
    for text in texts:
        separator = "=" if "=" in text else ":"
        name, found, path = text.partition(separator)
        names[name] = None
        if found:
            paths[name] = path
    return list(names), paths


def _get(environ: Mapping[str, str], name: str, default: str = "") -> str:
    return environ.get(f"BACKEND_{name}") or environ.get(f"SORNA_{name}") or default


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidInput(f"BACKEND_CONNECTION_TIMEOUT `{text}` is not a number of seconds", "such as `10`")
    return seconds


def _integer(name: str, value: Any) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise InvalidInput(f"option `{name}` of backend `backend.ai` is not an integer: `{value}`") from error


def _list(value: Any) -> list[str]:
    """Return the items of a list, or of a text with commas."""
    if not value:
        return []
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value).split(",")


def _pairs(name: str, value: Any) -> dict[str, str]:
    """Return a mapping, also from a list of `KEY=VALUE`."""
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    pairs = [text.partition("=") for text in _list(value)]
    for key, equals, rest in pairs:
        if not equals or not key:
            raise InvalidInput(f"`{key}{equals}{rest}` in option `{name}` is not `KEY=VALUE`", "such as `shmem=64m`")
    return {key: rest for key, _, rest in pairs}


def read_script(path: Any) -> str | None:
    """Return the bootstrap script's text, None if no path is given. Raises InvalidInput."""
    if not path:
        return None
    try:
        return Path(str(path)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read the bootstrap script `{path}`") from error
