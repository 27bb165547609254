"""A provider: the TOML files in the folder beside this file, as `hunyuan_profiles` takes them.

    hunyuan-fix run --set hunyuan_plugins=examples/own_provider.py

A package can bring its providers along in this way. For files of your own, `hunyuan_profiles=FOLDER` is enough.
"""

from __future__ import annotations

from pathlib import Path

from hunyuan_fix.plugins import Plugin

PLUGIN = Plugin(
    "own-provider",
    profiles=Path(__file__).parent / "profiles",
    about="Knows the company's own endpoint.",
)
