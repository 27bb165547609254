"""Print the path of the addon's file, for mitmproxy's own programs: `hunyuan-fix path`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

ADDON = Path(__file__).resolve().parents[1] / "hunyuan_fix.py"
"""What `mitmdump -s` takes."""


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print it and nothing else."""
    parser = argparse.ArgumentParser(
        f"{prefix}path",
        description=f"Prints the path of the addon's file, for mitmproxy's programs: mitmdump -s \"$({prefix}path)\"",
    )
    parser.parse_args(arguments)
    print(ADDON)
    return 0
