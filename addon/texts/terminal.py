"""The language of this process's own words: what it prints, and its log."""

from __future__ import annotations

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

    By HUNYUAN_LANGUAGE, then the POSIX variables in their order of precedence (XBD 8.2); without any of these by
    `system`, the name of a locale such as `zh_CN` or `Chinese (Simplified)_China`.
    """
    if (given := environment.get("HUNYUAN_LANGUAGE", "").strip()) in LANGUAGES:
        return given
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), system)
    return "zh" if locale.lower().startswith(("zh", "chinese")) else "en"
