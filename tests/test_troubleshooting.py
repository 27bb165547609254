"""docs/troubleshooting.md names real things: codes, rules and sentences that this project knows from somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hunyuan_fix.rules.explained import explanations

ROOT = Path(__file__).parents[1]
PAGES = ("docs/troubleshooting.md", "docs/troubleshooting.zh-CN.md")
SOURCES = [
    *ROOT.glob("docs/facts/*.md"),
    *ROOT.glob("addon/**/*.toml"),
    *ROOT.glob("simulator/**/*.py"),
    *ROOT.glob("tests/cases/**/*.md"),
]
"""Where it stands who has seen a sentence of a vendor's."""


def tables(page: str) -> list[list[str]]:
    """The tables of a page in their order, as lists of rows."""
    text = (ROOT / page).read_text("utf-8")
    return [table.strip().splitlines()[2:] for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


@pytest.mark.parametrize("page", PAGES)
def test_its_codes_are_in_the_table_of_errors(page: str) -> None:
    codes = re.findall(r"\b[45]\d\d `(\w+)`", (ROOT / page).read_text("utf-8"))
    catalogue = (ROOT / "docs/errors.md").read_text("utf-8")
    assert codes
    assert [code for code in codes if f"`{code}`" not in catalogue] == []


@pytest.mark.parametrize("page", PAGES)
def test_its_rules_are_there(page: str) -> None:
    named = [cells(row)[2] for row in tables(page)[0] if re.match("rules? |规则 ", cells(row)[2])]
    rules = [rule for cell in named for rule in re.findall(r"`([\w-]+)`", cell)]
    assert rules
    assert [rule for rule in rules if rule not in explanations()] == []


@pytest.mark.parametrize("page", PAGES)
def test_its_sentences_of_vendors_have_a_source(page: str) -> None:
    known = "\n".join(source.read_text("utf-8") for source in SOURCES)
    squeezed = re.sub(r"\s+", "", known)
    said = [text for table in tables(page)[:2] for row in table for text in re.findall(r"`([^`]+)`", cells(row)[0])]
    pieces = [piece for text in said for piece in re.split(r"…|\bN$", text) if piece.strip()]
    assert len(pieces) > 20
    assert [piece for piece in pieces if re.sub(r"\s+", "", piece) not in squeezed] == []


def test_both_languages_have_the_same_rows() -> None:
    def code(page: str) -> list[list[str]]:
        return [re.findall(r"`([^`]+)`", cells(row)[0]) for table in tables(page) for row in table]

    english, chinese = map(code, PAGES)
    assert english == chinese
