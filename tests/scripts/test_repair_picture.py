"""The picture of a repair: it is what the program makes of a real run, and its texts stay in their boxes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from hunyuan_fix import columns
from scripts.lib import repair_picture
from scripts.lib.repair_picture import ADVANCE, CODE, FOLDER, HEAD, NOTE, PICTURES, RIGHT, WIDTH, ChangedError

SVG = "{http://www.w3.org/2000/svg}"
LANGUAGES = tuple(PICTURES)
PHONE = 343
"""CSS pixels that a page gives a picture on a phone of 375."""
LEGIBLE = 8
"""CSS pixels of the smallest text that a person still reads."""


def elements(picture: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{SVG}{name}"))


def size(text: ET.Element) -> int:
    return {"code": CODE, "head": HEAD}.get(text.attrib["class"], NOTE)


def kept(language: str) -> str:
    return (FOLDER / PICTURES[language]).read_text("utf-8")


def assert_fits(picture: str) -> None:
    for text in elements(picture, "text"):
        taken = columns.width(text.text or "") * size(text) * ADVANCE
        assert float(text.attrib["x"]) + taken <= RIGHT, text.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_picture_is_what_the_program_makes(language: str) -> None:
    ran = repair_picture.run(language)
    assert kept(language) == repair_picture.draw(ran, language)
    assert_fits(repair_picture.draw(replace(ran, answer="字" * 99, rules="merge," * 30), language))


def test_another_request_makes_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair_picture, "RECORDED", repair_picture.RECORDED.with_name("05.json"))
    with pytest.raises(ChangedError, match="request"):
        repair_picture.run("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_fit(language: str) -> None:
    assert len(elements(kept(language), "text")) > 30
    assert_fits(kept(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_line_of_a_box_is_inside_it(language: str) -> None:
    boxes = [box.attrib for box in elements(kept(language), "rect")]
    edges = [(float(box["y"]), float(box["y"]) + float(box["height"])) for box in boxes]
    page, *edges = edges
    assert all(above[1] < below[0] for above, below in pairwise(edges))
    assert all(page[0] < top and bottom < page[1] for top, bottom in edges)
    for text in elements(kept(language), "text"):
        y = float(text.attrib["y"])
        assert page[0] < y - size(text)
        assert y < page[1]
        if text.attrib["class"].startswith(("role", "code")):
            assert any(top < y - size(text) and y + size(text) / 4 < bottom for top, bottom in edges), text.text


def test_it_can_be_read_on_a_phone() -> None:
    assert min(CODE, NOTE) * PHONE / WIDTH >= LEGIBLE


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_was_refused_and_repaired(language: str) -> None:
    shown = [text.text or "" for text in elements(kept(language), "text")]
    assert [text.split()[1] for text in shown if text.startswith("× 4")] == ["400"] * 3
    repaired = [text.split()[1] for text in shown if text.startswith("✓")]
    (header,) = (text for text in shown if text.startswith("x-hunyuan-fix: "))
    # A stream's usage is asked for and taken out again: nothing of the conversation was refused for that.
    assert {*header.removeprefix("x-hunyuan-fix: ").split(","), "200"} - {"answer-usage"} == set(repaired)


@pytest.mark.parametrize("language", LANGUAGES)
def test_dark_pages_have_colours_of_their_own(language: str) -> None:
    (style,) = (style.text or "" for style in elements(kept(language), "style"))
    light, _, dark = style.partition("@media(prefers-color-scheme:dark)")
    for text in elements(kept(language), "text"):
        kind = text.attrib["class"].split()[-1]
        assert f".{kind}{{fill" in light
        assert f".{kind}{{fill" in dark
