"""deploy/grafana/hunyuan-fix.json, read, and its queries as Grafana sends them."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.deploy.programs import DEPLOY

FILE = DEPLOY / "grafana/hunyuan-fix.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: dict[str, dict[str, Any]] = {each["name"]: each for each in DASHBOARD["templating"]["list"]}


def filled(query: str) -> str:
    """A query as Grafana sends it, with all of each variable chosen."""
    query = query.replace("$__rate_interval", "1m")
    return re.sub(r"\$(\w+)", lambda name: VARIABLES[name[1]]["allValue"], query)


def query_of(title: str) -> str:
    """The first query of the panel with this title."""
    (panel,) = (panel for panel in PANELS if panel["title"] == title)
    return str(panel["targets"][0]["expr"])
