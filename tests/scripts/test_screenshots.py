"""`scripts/screenshots`: the README's pictures can be taken anew, small enough for a page."""

from __future__ import annotations

import struct
from pathlib import Path

from scripts.lib import screenshots
from scripts.lib.screenshots import FOLDER, SCALE, SIZE

NAMES = ("mitmweb-light.png", "mitmweb-dark.png")
LIMIT = 300_000
"""Bytes of a picture in the README."""


def size(picture: bytes) -> tuple[int, int]:
    """Width and height, from a PNG's header."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def test_the_pictures_are_taken(tmp_path: Path) -> None:
    assert screenshots.main(["--folder", str(tmp_path)]) == 0
    light, dark = ((tmp_path / name).read_bytes() for name in NAMES)
    assert size(light) == size(dark) == (SIZE[0] * SCALE, SIZE[1] * SCALE)
    assert light != dark
    assert max(len(light), len(dark)) < LIMIT


def test_the_readmes_show_pictures_that_are_there() -> None:
    for name in NAMES:
        assert (FOLDER / name).stat().st_size < LIMIT
        for readme in ("README.md", "README.zh-CN.md"):
            assert f"docs/images/{name}" in (FOLDER.parents[1] / readme).read_text("utf-8")
