"""docs/admin.openapi.json, made from the admin server's routes: `.venv/bin/python -m scripts.lib.admin_openapi`."""

from __future__ import annotations

import json
from pathlib import Path

from hunyuan_fix.observe.admin.openapi import description

FILE = Path(__file__).parents[2] / "docs" / "admin.openapi.json"


def text() -> str:
    """What the file says."""
    return json.dumps(description(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
