"""The layers of the package hold: a module imports only from below itself. The contracts are in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pkgutil import iter_modules

import runner
from runner.backends import BACKENDS, FINDINGS, __path__
from tests.paths import ROOT


def test_import_contracts() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


CONCRETE = [module.name for module in iter_modules(__path__) if module.ispkg]


def test_executor_contract_names_every_backend() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (forbidden,) = (contract["forbidden_modules"] for contract in contracts if contract["id"] == "executor")
    assert {f"runner.backends.{name}" for name in CONCRETE} <= set(forbidden)


def test_registry_names_do_not_shadow_packages() -> None:
    registry = import_module("runner.backends")
    for name in CONCRETE:
        assert import_module(f"runner.backends.{name}") is getattr(registry, name)


def test_doctor_has_every_backend() -> None:
    assert FINDINGS.keys() == BACKENDS.keys()


def test_top_of_the_package_has_few_modules() -> None:
    modules = {module.name for module in iter_modules(runner.__path__) if not module.ispkg}
    assert len(modules - {"__main__"}) <= 8, "a module without a package is for words that the whole project uses"
