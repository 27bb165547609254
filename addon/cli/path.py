"""Print the path of the addon's file, for mitmproxy's own programs: `hunyuan-fix path`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..texts.terminal import say
from .arguments import Parser

ADDON = Path(__file__).resolve().parents[1] / "hunyuan_fix.py"
"""What `mitmdump -s` takes."""


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print it and nothing else."""
    description = say(
        "Prints the path of the addon's file, for mitmproxy's programs: mitmdump -s {file}", file=f'"$({prefix}path)"'
    )
    parser = Parser(f"{prefix}path", description=description)
    parser.parse_args(arguments)
    print(ADDON)
    return 0
