"""The language of this process's own words: what it prints, and its log."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import LANGUAGES, sentences

_chosen = sentences.SOURCE


def language() -> str:
    """The language of the terminal: English until another was chosen."""
    return _chosen


def use(language: str) -> None:
    """Say everything in `language` from now on. Raises `KeyError` for one that is not in `texts.LANGUAGES`."""
    global _chosen  # noqa: PLW0603 - a process has one terminal
    if language not in LANGUAGES:
        raise KeyError(language)
    _chosen = language


def say(template: str, /, **values: object) -> str:
    """`template` in the terminal's language, with `values` in its braces (`sentences.said`)."""
    return sentences.said(_chosen, template, **values)


def preferred(environment: Mapping[str, str], system: str = "") -> str:
    """The language that the user's `environment` asks for: a value of `hunyuan_language`.

    By HUNYUAN_LANGUAGE, then the POSIX variables in their order of precedence (XBD 8.2), before which LANGUAGE counts
    as in gettext: a list by preference, which a locale C switches off. Without any of these by `system`, the name of
    a locale such as `zh_CN` or `Chinese (Simplified)_China`.
    """
    if (given := environment.get("HUNYUAN_LANGUAGE", "").strip()) in LANGUAGES:
        return given
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), system)
    switched_off = locale.partition(".")[0] in ("", "C", "POSIX")
    wanted = [] if switched_off else environment.get("LANGUAGE", "").split(":")
    languages = (_language(name) for name in [*wanted, locale])
    return next((language for language in languages if language in LANGUAGES), sentences.SOURCE)


def _language(locale: str) -> str:
    """The language of a locale's name: `zh` for `zh_CN.UTF-8`, and for `Chinese (Simplified)_China`."""
    language = re.split(r"[^a-z]", locale.strip().lower(), maxsplit=1)[0]
    return "zh" if language == "chinese" else language
