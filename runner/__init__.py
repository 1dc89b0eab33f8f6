"""runner: a declarative, YAML-driven batch runner."""

__version__ = "0.1.0"
