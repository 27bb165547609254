"""Sentences for people are there in every language, say the same, and are found again in finished texts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.texts import sentences, terminal
from tests.texts.said_in_code import all_sentences

HOLE = re.compile(r"(?<!\{)\{(\w+)(?:[:!][^{}]*)?\}(?!\})")
HAN = re.compile(r"[\u3400-\u9fff]")


def test_the_code_says_something() -> None:
    assert "did you mean {near}?" in all_sentences()


@pytest.mark.parametrize("language", ["zh"])
def test_every_sentence_has_a_translation_and_no_translation_is_left_over(language: str) -> None:
    there = set(sentences.catalogue(language))
    assert sorted(all_sentences() - there) == [], "not translated"
    assert sorted(there - all_sentences()) == [], "said nowhere"


def test_no_two_files_translate_a_sentence_differently() -> None:
    found: dict[str, set[str]] = {}
    for file in Path(sentences.__file__).parent.glob("*/*.toml"):
        for english, other in tomllib.loads(file.read_text("utf-8")).items():
            found.setdefault(f"{file.parent.name}: {english}", set()).add(other)
    assert {english: others for english, others in found.items() if len(others) > 1} == {}


def test_a_translation_has_the_same_names_in_braces() -> None:
    different = [
        english
        for english, chinese in sentences.catalogue("zh").items()
        if not chinese.strip() or set(HOLE.findall(chinese)) != set(HOLE.findall(english))
    ]
    assert different == []


def test_a_chinese_sentence_is_chinese_and_punctuated_so() -> None:
    wrong = []
    for english, chinese in sentences.catalogue("zh").items():
        has_words = re.search(r"[a-z]{4}", re.sub(r"`[^`]*`|\{[^}]*\}|--?[\w-]+|\b\w*_\w+\b", "", english))
        half_width = re.search(r"[\u3400-\u9fff][,;?!](?:\s|$)", chinese)
        if half_width or (has_words and not HAN.search(chinese)):
            wrong.append(english)
    assert wrong == []


def test_a_template_is_filled_in_both_languages() -> None:
    template, values = "there is no command {name!r}; {hint}", {"name": "x", "hint": "did you mean run?"}
    assert sentences.said("en", template, **values) == "there is no command 'x'; did you mean run?"
    assert sentences.said("zh", template, **values) == "没有命令 'x'；是不是想用 run？"  # the hint, too
    with pytest.raises(KeyError):
        sentences.said("zh", template, name="x")


@pytest.mark.parametrize("name", ["reasoning", "model", "stream, tools"])
def test_a_name_is_no_sentence_even_if_it_reads_like_one(name: str) -> None:
    assert sentences.translated("zh", name) != name
    assert sentences.said("zh", "with {names}", names=name) == f"参数：{name}"
    assert sentences.translated("zh", f"{name} is refused: removed") == f"接口不接受 {name}：已删除"


@pytest.mark.parametrize("name", ["model", "answer", "default", "key"])
def test_a_name_that_is_a_word_of_ours_too_is_not_translated(name: str) -> None:
    assert name in sentences.catalogue("zh")
    assert sentences.said("zh", "did you mean {near}?", near=name) == f"是不是想用 {name}？"


def test_a_text_that_fits_a_template_in_many_ways_is_read_in_one_pass() -> None:
    """What a client or an endpoint says may be made for a search that tries them all."""
    asked = 0

    class Text(str):
        __slots__ = ()

        def find(self, *args: Any) -> int:
            nonlocal asked
            asked += 1
            return super().find(*args)

    begins = "{title}: {name} ({place}) begins with {begins}: it is a key of {product}, which {url} does"
    [shape] = [shape for shape in sentences._shapes("zh") if shape.template.startswith(begins)]
    hostile = Text(": x (x) begins with x: it is a key of x, which x does" * 50)
    assert shape.values_in(Text("a" + hostile + shape.around[-1])) is not None
    assert asked <= len(shape.names)
    assert shape.values_in(hostile) is None


def test_a_text_longer_than_any_of_ours_is_not_looked_up() -> None:
    short, long = (f"did you mean {'x' * length}?" for length in (1000, 5000))
    assert sentences.translated("zh", short) == f"是不是想用 {'x' * 1000}？"
    assert sentences.translated("zh", long) == long


def test_of_very_many_reasons_the_first_ones_are_translated() -> None:
    english = "a list of texts becomes a string"
    chinese = sentences.catalogue("zh")[english]
    assert sentences.translated("zh", "; ".join([english] * 3)) == "；".join([chinese] * 3)
    said = sentences.translated("zh", "; ".join([english] * 100))
    assert 19 <= said.count(chinese) < 100
    assert said.count(chinese) + said.count(english) == 100


def test_what_has_no_translation_stays_english() -> None:
    assert sentences.said("zh", "nothing like it {name}", name=3) == "nothing like it 3"
    assert sentences.translated("zh", "nothing like it") == "nothing like it"
    assert sentences.translated("fr", "did you mean run?") == "did you mean run?"


@given(near=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_finished_sentence_is_found_again_whatever_was_filled_in(near: str) -> None:
    template = "did you mean {near}?"
    finished = sentences.said("en", template, near=near)
    assert sentences.translated("zh", finished) == sentences.said("zh", template, near=near)


@pytest.mark.parametrize(
    ("environment", "system", "language"),
    [
        ({}, "", "en"),
        ({"LANG": "zh_CN.UTF-8"}, "", "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "", "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "", "zh"),
        ({"LANG": "", "LC_ALL": ""}, "zh_CN", "zh"),
        ({}, "Chinese (Simplified)_China", "zh"),
        ({"LANG": "zh_CN.UTF-8", "HUNYUAN_LANGUAGE": "en"}, "", "en"),
        ({"LANG": "en_US", "HUNYUAN_LANGUAGE": "zh"}, "", "zh"),
        ({"LANG": "en_US", "HUNYUAN_LANGUAGE": "klingon"}, "", "en"),
    ],
)
def test_the_terminals_language(environment: dict[str, str], system: str, language: str) -> None:
    assert terminal.preferred(environment, system) == language


def test_a_language_that_there_is_not() -> None:
    with pytest.raises(KeyError):
        terminal.use("fr")
