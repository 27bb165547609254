"""The language of the terminal, by the environment and the system's locale."""

from __future__ import annotations

import pytest

from hunyuan_fix.texts.terminal import preferred


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "ZH-tw"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN"}, "en"),
        ({"LC_MESSAGES": "en_GB", "LANG": "zh_CN"}, "en"),
        ({"HUNYUAN_LANGUAGE": "en", "LANG": "zh_CN"}, "en"),
        ({"HUNYUAN_LANGUAGE": "fr", "LANG": "zh_CN"}, "zh"),
        # LANGUAGE is a list by preference, but not under a locale C.
        ({"LANGUAGE": "zh_CN:en", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LANGUAGE": "fr:en:zh", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANGUAGE": "fr", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANGUAGE": "zh", "LANG": "C.UTF-8"}, "en"),
        ({"LANGUAGE": "zh", "LC_ALL": "POSIX"}, "en"),
        ({"LANGUAGE": "zh"}, "en"),
        ({"LANG": "zha_CN"}, "en"),  # the code of another language begins alike
    ],
)
def test_the_language_that_an_environment_asks_for(environment: dict[str, str], language: str) -> None:
    assert preferred(environment) == language


@pytest.mark.parametrize(
    ("system", "language"),
    [
        ("zh_CN", "zh"),
        ("Chinese (Simplified)_China", "zh"),
        ("chinese-simplified", "zh"),
        ("English_United States", "en"),
        ("", "en"),
    ],
)
def test_the_systems_locale_counts_where_the_environment_has_none(system: str, language: str) -> None:
    assert preferred({}, system) == language
    assert preferred({"LANG": "en_US"}, system) == "en"
    assert preferred({"LANG": "zh_CN"}, system) == "zh"
