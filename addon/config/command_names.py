"""How a user calls a command of this package, for messages that name one."""

from __future__ import annotations

from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def command(name: str) -> str:
    """How a user starts the command `name`: `scripts/NAME` in a clone, else `hunyuan-fix NAME`."""
    return f"scripts/{name}" if (_REPOSITORY / "scripts" / name).is_file() else f"hunyuan-fix {name}"
