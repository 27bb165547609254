"""Values on the command line."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A whole number from 1 on. For `type` of argparse."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
