"""What the page says: each text in both languages, each one used, and none that isn't there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from hunyuan_fix.texts import LANGUAGES

STATIC = Path(__file__).parents[2] / "addon" / "page" / "static"
MODULES = sorted(path for path in STATIC.glob("*.js") if not path.name.endswith(".words.js") and "min" not in path.name)
_USED = re.compile(r"""\bt\((['"`])([^'"`]+)\1""")
_FIELD = re.compile(r"\{(\w+)\}")


def words_of(path: Path) -> dict[str, dict[str, str]]:
    """The words of a file, which is JSON behind its first two words."""
    text = path.read_text("utf-8").strip().removesuffix(";").removeprefix("export default")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def all_words() -> dict[str, dict[str, str]]:
    return {name: said for path in STATIC.glob("*.words.js") for name, said in words_of(path).items()}


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.words.js")), ids=lambda path: path.name)
def test_each_text_is_there_in_both_languages_with_the_same_fields(path: Path) -> None:
    for name, said in words_of(path).items():
        assert set(said) == set(LANGUAGES), name
        assert all(text.strip() for text in said.values()), name
        assert len({tuple(sorted(_FIELD.findall(text))) for text in said.values()}) == 1, name


def test_no_text_has_two_names_in_different_files() -> None:
    names = [name for path in STATIC.glob("*.words.js") for name in words_of(path)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_each_text_that_a_view_uses_is_there(path: Path) -> None:
    known = all_words()
    for _, name in _USED.findall(path.read_text("utf-8")):
        if "${" in name:
            assert any(re.fullmatch(pattern_of(name), one) for one in known), name
        else:
            assert name in known, name


def test_each_text_is_used() -> None:
    used = [name for path in MODULES for _, name in _USED.findall(path.read_text("utf-8"))]
    patterns = [pattern_of(name) for name in used]
    unused = [name for name in all_words() if not any(re.fullmatch(pattern, name) for pattern in patterns)]
    assert unused == []


def pattern_of(name: str) -> str:
    """What a name with `${…}` in it may be."""
    return "[^ ]*".join(re.escape(part) for part in re.split(r"\$\{[^}]*\}", name))


def test_the_check_finds_what_is_missing() -> None:
    known: Mapping[str, object] = all_words()
    assert "no.such" not in known and _USED.findall("t('no.such')") == [("'", "no.such")]
    assert re.fullmatch(pattern_of("nav.${name}"), "nav.images") and not re.fullmatch(pattern_of("nav.${name}"), "x")
