"""deploy/compose/compose.yaml, read."""

from __future__ import annotations

from functools import cache
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.programs import DEPLOY

FILE = DEPLOY / "compose/compose.yaml"


@cache
def compose() -> dict[str, Any]:
    """The file, aliases and all."""
    read: dict[str, Any] = YAML(typ="safe", pure=True).load(FILE.read_text("utf-8"))
    return read
