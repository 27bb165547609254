"""`scripts/screenshots`: the documentation's pictures can be taken anew, small enough for a page."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.lib import mitmweb, screenshots, terminal_pictures
from scripts.lib.screenshots import FOLDER, SCALE

ROOT = FOLDER.parents[1]
NAMES = {
    "mitmweb-list.png",
    "mitmweb-light.png",
    "mitmweb-dark.png",
    "mitmweb-claude-code.png",
    "mitmweb-stream.png",
    *(
        f"page-{view}-{theme}.png"
        for view in ("overview", "exchange", "session", "images")
        for theme in ("light", "dark")
    ),
    "front-page.png",
    "run.svg",
    "demo.svg",
    "repair.svg",
}
CHINESE = {re.sub(r"(-light|-dark)?\.", r".zh-CN\1.", name) for name in NAMES}
LIMIT, ALL = 300_000, 4_500_000
"""Bytes of a picture, and of all."""
WIDEST_SHOWN = 840
"""CSS pixels that GitHub gives a picture."""


def size(picture: bytes) -> tuple[int, int]:
    """Width and height, from a PNG's header."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


@pytest.mark.parametrize(("language", "names"), [("en", NAMES), ("zh", CHINESE)])
def test_the_pictures_are_taken(
    tmp_path: Path, language: str, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # At the usual ones the doctors of other tests would look in, and make rows in the list.
    monkeypatch.setattr(mitmweb, "port_is_free", lambda _: False)
    assert screenshots.main(["--folder", str(tmp_path), "--language", language]) == 0
    assert {file.name for file in tmp_path.iterdir()} == names
    for light in tmp_path.glob("*-light.png"):
        dark = light.with_name(light.name.replace("-light", "-dark"))
        assert size(light.read_bytes()) == size(dark.read_bytes())
        assert light.read_bytes() != dark.read_bytes()
    assert all(file.stat().st_size < LIMIT for file in tmp_path.iterdir())
    assert "tokenhub.tencentmaas.com" in next(tmp_path.glob("run*")).read_text("utf-8")


def test_those_in_the_repository_are_all_shown_and_sharp_enough() -> None:
    pages = [*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([\w.-]+\.(?:png|svg))", page.read_text("utf-8"))}
    there = {file.name for file in FOLDER.iterdir()}
    assert there == shown
    assert there >= NAMES | CHINESE
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < ALL
    for file in [*FOLDER.glob("mitmweb*.png"), *FOLDER.glob("page-*.png")]:
        width, height = size(file.read_bytes())
        assert WIDEST_SHOWN < width <= 1.5 * WIDEST_SHOWN * SCALE
        assert height / width * WIDEST_SHOWN < 900, f"{file.name} doesn't fit on a screen"


def texts(picture: bytes) -> list[tuple[str, float, float, float, dict[str, str]]]:
    """Each text of a picture of a terminal: what it says, where it begins, on which line, how wide it is, its style."""
    found = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    return [
        (
            each.text or "",
            float(each.get("x", 0)),
            float(each.get("y", 0)),
            float(each.get("textLength", 0)),
            each.attrib,
        )
        for each in found
    ]


def test_wide_characters_take_two_cells() -> None:
    (ascii_, _, _, narrow, _), (wide, _, _, broad, _), (_, after, _, _, _) = texts(terminal_pictures.svg(["ab改动|"]))
    assert (ascii_, wide) == ("ab", "改动")
    assert broad == pytest.approx(2 * narrow, abs=0.02)
    assert after == pytest.approx(texts(terminal_pictures.svg(["abcdef|"]))[0][1] + narrow + broad, abs=0.02)


def test_long_lines_are_broken_and_styles_end() -> None:
    first, second, third = texts(terminal_pictures.svg(["\x1b[31maaa\x1b[0m<b"], 4))
    assert (first[0], second[0], third[0]) == ("aaa", "<", "b")
    assert first[4].get("fill") == "#ff7b72"
    assert "fill" not in second[4]
    assert (second[2], third[2]) == (first[2], first[2] + 19)
