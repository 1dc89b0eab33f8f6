"""Writes the configuration of a cluster: `python configure.py FOLDER PORT`. Prints ports, images and keys as shell assignments.

Four users: `admin`, `user`, `tight` with a quota of two sessions and two CPUs, and `slow` with 20 requests in 15 minutes. Two
scaling groups: `default` with the agent, and `empty`. Three images: one to run, the same with IPython, and one that is in the
manager's database but cannot be pulled.
"""

from __future__ import annotations

import json
import secrets
import sys
import uuid
from pathlib import Path
from typing import Any

USERS = ("admin", "user", "tight", "slow")
POLICIES = {"tight": "tight"}
RATE_LIMITS = {"slow": 20}

folder, base = Path(sys.argv[1]), int(sys.argv[2])
conf = folder / "conf"
names = (
    "POSTGRES",
    "REDIS",
    "ETCD",
    "ETCD_PEER",
    "MANAGER",
    "AGENT",
    "AGENT_SOCKET",
    "WATCHER",
    "REGISTRY",
    "METADATA",
)
ports = {name: base + offset for offset, name in enumerate(names)}
registry = f"127.0.0.1:{ports['REGISTRY']}"
image = f"{registry}/lab/python:3.11"


def toml(sections: dict[str, dict[str, Any]]) -> str:
    """Return TOML; strings, numbers, booleans and lists are written as in JSON."""
    return "".join(
        f"[{name}]\n" + "".join(f"{json.dumps(key)} = {value(item)}\n" for key, item in section.items())
        for name, section in sections.items()
    )


def value(item: Any) -> str:
    if isinstance(item, dict):
        return "{" + ", ".join(f"{key} = {value(inner)}" for key, inner in item.items()) + "}"
    return json.dumps(item)


def local(name: str) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": ports[name]}


def make_keys() -> dict[str, tuple[str, str]]:
    """Return access and secret key of each user; create them at the first call."""
    file = conf / "keys"
    if not file.exists():
        lines = (f"{user} AKIA{secrets.token_hex(8).upper()} {secrets.token_hex(20)}\n" for user in USERS)
        file.touch(mode=0o600)
        file.write_text("".join(lines))
    return {user: (access, secret) for user, access, secret in map(str.split, file.read_text().splitlines())}


keys = make_keys()

logging: dict[str, dict[str, Any]] = {
    "logging": {"level": "INFO", "drivers": ["console"]},
    "logging.console": {"colored": False, "format": "verbose"},
    "logging.pkg-ns": {"": "WARNING", "aiotools": "INFO", "aiohttp": "INFO", "ai.backend": "INFO"},
}
etcd = {"etcd": {"namespace": "local", "addr": local("ETCD"), "user": "", "password": ""}}
postgres = {"addr": local("POSTGRES"), "name": "backend", "user": "postgres", "password": "unused"}
manager = {
    "num-proc": 1,
    "service-addr": local("MANAGER"),
    "user": "root",
    "group": "root",
    "ssl-enabled": False,
    "heartbeat-timeout": 60.0,
    "ipc-base-path": f"{folder}/run/ipc",
    "disabled-plugins": [],
    "hide-agents": False,
    "distributed-lock": "filelock",
    "rpc-auth-manager-keypair": f"{conf}/manager.key_secret",
    "agent-selection-resource-priority": ["cpu", "mem"],
    "aiomonitor-termui-port": base + 20,
    "aiomonitor-webui-port": base + 30,
}
agent = {
    "mode": "docker",
    "id": "i-lab",
    "scaling-group": "default",
    "rpc-listen-addr": local("AGENT"),
    "agent-sock-port": ports["AGENT_SOCKET"],
    "metadata-server-bind-host": "127.0.0.1",
    "metadata-server-port": ports["METADATA"],
    "aiomonitor-termui-port": base + 40,
    "aiomonitor-webui-port": base + 50,
    "event-loop": "uvloop",
    "ipc-base-path": f"{folder}/run/ipc",
    "var-base-path": f"{folder}/data/agent",
    "image-commit-path": f"{folder}/data/commit",
    "mount-path": f"{folder}/data/vfroot",
    "allow-compute-plugins": [],
}
container = {
    "bind-host": "127.0.0.1",
    "port-range": [base + 200, base + 499],
    "kernel-uid": 1000,
    "kernel-gid": 1000,
    "stats-type": "docker",
    "sandbox-type": "docker",
    "scratch-type": "hostdir",
    "scratch-root": f"{folder}/data/scratches",
    "scratch-size": "1G",
}
watcher = {
    "service-addr": local("WATCHER"),
    "ssl-enabled": False,
    "target-service": "backendai-agent.service",
    "soft-reset-available": False,
}
resource = {
    "reserved-cpu": 0,
    "reserved-mem": "1G",
    "reserved-disk": "1G",
    "allocation-order": ["cpu", "mem"],
    "affinity-policy": "INTERLEAVED",
}
(conf / "manager.toml").write_text(
    toml({"db": {"type": "postgresql", **postgres}, "manager": manager, "docker-registry": {"ssl-verify": False}})
    + toml({"debug": {"enabled": False}, **etcd, **logging})
)
(conf / "agent.toml").write_text(
    toml({"agent": agent, "container": container, "watcher": watcher, "resource": resource})
    + toml({"debug": {"enabled": False, "heartbeat-interval": 5.0}})
    + toml({"debug.coredump": {"enabled": False, "path": f"{folder}/data/coredumps"}, **etcd, **logging})
)
(conf / "registry.yml").write_text(
    f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{registry}'}}\n"
    f"storage: {{filesystem: {{rootdirectory: {folder}/data/registry}}}}\n"
)
(conf / "alembic.ini").write_text(
    "[alembic]\nscript_location = ai.backend.manager.models:alembic\n"
    f"sqlalchemy.url = postgresql+asyncpg://postgres:unused@127.0.0.1:{ports['POSTGRES']}/backend\n"
    "[loggers]\nkeys = root\n[handlers]\nkeys = console\n[formatters]\nkeys = plain\n"
    "[logger_root]\nlevel = WARN\nhandlers = console\n"
    "[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\nformatter = plain\n"
    "[formatter_plain]\nformat = %(levelname)s %(message)s\n"
)

# configuration that the manager and the agent read from etcd
config = {
    "redis": {"addr": f"127.0.0.1:{ports['REDIS']}"},
    "docker": {"registry": {registry: {"": f"http://{registry}", "type": "docker"}}, "image": {"auto_pull": "tag"}},
    "network": {"subnet": {"agent": "127.0.0.0/8", "container": "127.0.0.0/8"}},
    "watcher": {"token": "lab"},
    "idle": {"enabled": "", "app-streaming-packet-timeout": "5m"},
    "plugins": {"accelerator": {}, "scheduler": {"fifo": {"num_retries_to_skip": 1}}},
}
proxy = {
    "client_api": "http://127.0.0.1:9",
    "manager_api": "http://127.0.0.1:9",
    "secret": "lab",
    "ssl_verify": "false",
}
volumes = {
    "_types": {"user": "", "group": ""},
    "default_host": "local:volume1",
    "exposed_volume_info": "percentage",
    "proxies": {"local": proxy},
}
(conf / "etcd.json").write_text(json.dumps({"config": config, "volumes": volumes}))


# rows of the manager's database
def uid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.lab.example"))


hosts: dict[str, list[str]] = {"local:volume1": ["mount-in-session"]}
common = {"description": "", "is_active": True, "total_resource_slots": {}, "allowed_vfolder_hosts": hosts}
users = [
    {
        "uuid": uid(name),
        "username": name,
        "email": f"{name}@lab.example",
        "password": secrets.token_hex(16),
        "need_password_change": False,
        "full_name": name,
        "description": "",
        "status": "active",
        "status_info": "admin-requested",
        "domain_name": "default",
        "resource_policy": "default",
        "role": "superadmin" if name == "admin" else "user",
        "main_access_key": None,
    }
    for name in USERS
]
keypairs = [
    {
        "user_id": f"{name}@lab.example",
        "access_key": keys[name][0],
        "secret_key": keys[name][1],
        "is_active": True,
        "resource_policy": POLICIES.get(name, "default"),
        "rate_limit": RATE_LIMITS.get(name, 30000),
        "num_queries": 0,
        "is_admin": name == "admin",
        "user": uid(name),
    }
    for name in USERS
]
policies = [
    {
        "name": name,
        "default_for_unspecified": "UNLIMITED",
        "total_resource_slots": slots,
        "max_session_lifetime": 0,
        "max_concurrent_sessions": sessions,
        "max_containers_per_session": 1,
        "max_vfolder_count": 10,
        "max_vfolder_size": 0,
        "idle_timeout": 0,
        "allowed_vfolder_hosts": hosts,
    }
    for name, sessions, slots in (("default", 100, {}), ("tight", 2, {"cpu": "2", "mem": "1073741824"}))
]
scaling_group = {"description": "", "is_active": True, "driver": "static", "driver_opts": {}, "scheduler": "fifo"}
scaling_groups = [{"name": name, "scheduler_opts": {}, **scaling_group} for name in ("default", "empty")]
groups = [
    {"id": uid("group"), "name": "default", "domain_name": "default", "resource_policy": "default", **common},
]
fixture = {
    "domains": [{"name": "default", "allowed_docker_registries": [registry], **common}],
    "user_resource_policies": [{"name": "default", "max_vfolder_size": -1, "max_session_count_per_model_session": 10}],
    "project_resource_policies": [{"name": "default", "max_vfolder_size": -1}],
    "groups": groups,
    "scaling_groups": scaling_groups,
    "sgroups_for_domains": [{"scaling_group": group["name"], "domain": "default"} for group in scaling_groups],
    "users": users,
    "association_groups_users": [{"group_id": uid("group"), "user_id": uid(name)} for name in USERS],
    "keypair_resource_policies": policies,
    "keypairs": keypairs,
}
(conf / "fixture.json").write_text(json.dumps(fixture, indent=1))
# only a user's main key may log in; users and keys refer to each other, so it is set in a second step
main = [{"uuid": uid(name), "main_access_key": keys[name][0]} for name in USERS]
(conf / "keys.json").write_text(json.dumps({"__mode": "update", "users": main}))

env = {
    "BACKEND_ENDPOINT": f"http://127.0.0.1:{ports['MANAGER']}",
    "BACKEND_ENDPOINT_TYPE": "api",
    "BACKEND_ACCESS_KEY": keys["user"][0],
    "BACKEND_SECRET_KEY": keys["user"][1],
    "IMAGE": image,
    "IMAGE_IPYTHON": f"{image}-ipython",
    "IMAGE_GONE": f"{registry}/lab/python:gone",
    **{f"{user.upper()}_ACCESS_KEY": keys[user][0] for user in USERS},
    **{f"{user.upper()}_SECRET_KEY": keys[user][1] for user in USERS},
    "CLUSTER": str(folder),
    "DOCKER_HOST": f"unix://{folder}/run/docker.sock",
    **{name: str(port) for name, port in ports.items()},
    "REGISTRY": registry,
}
lines = "".join(f"{name}={text}\n" for name, text in env.items())
(conf / "env").touch(mode=0o600)
(conf / "env").write_text(lines)
print(lines, end="")
