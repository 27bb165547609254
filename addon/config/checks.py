"""Checks of the given options: names and values of the addon's, and those of mitmproxy's that it can't work with.

Without them a switch that is neither true nor false, an option without `=value` or one given twice would silently keep
the addon from loading, and a misspelt name would be ignored (docs/facts/mitmproxy.md#option-types).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..did_you_mean import suggestion
from ..texts.terminal import say
from .option import Option, OptionError, Value, switch


def of_command_line(
    given: Mapping[str, Sequence[str]], options: Iterable[Option]
) -> tuple[dict[str, Value], list[str]]:
    """The values that `--set` gave, and a line for each problem. `given`: name -> the text of each `--set NAME=TEXT`.

    A switch may do without `=true`, which leaves no text.
    """

    def value(texts: object, option: Option) -> Value:
        texts = texts if isinstance(texts, Sequence) else ()
        if len(texts) > 1:
            raise ValueError(say("given more than once; several values are separated by commas"))
        if option.type is bool:
            return switch(texts[0]) if texts else True
        if not texts:
            raise ValueError(say("needs a value: --set name=value"))
        return str(texts[0])

    return _checked(given, options, value)


def of_mitmproxy_config(given: Mapping[str, object], options: Iterable[Option]) -> tuple[dict[str, Value], list[str]]:
    """The values in mitmproxy's config.yaml, and a line for each problem. `given`: name -> value as YAML reads it."""

    def value(given: object, option: Option) -> Value:
        if option.type is bool:
            return switch(str(given))
        if isinstance(given, list) and option.is_table:
            return json.dumps(given, ensure_ascii=False, default=str)
        if isinstance(given, list):
            return ",".join(str(item) for item in given)
        return "" if given is None else str(given)

    return _checked(given, options, value)


def _checked(
    given: Mapping[str, object], options: Iterable[Option], value: Callable[[object, Option], Value]
) -> tuple[dict[str, Value], list[str]]:
    known = {option.name: option for option in options}
    values: dict[str, Value] = {}
    problems = []
    for name, raw in given.items():
        if name not in known:
            problems.append(f"{name}: {say('there is no such option')}{suggestion(name, known)}")
            continue
        try:
            values[name] = value(raw, known[name])
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return values, problems


def check_mitmproxy(option: Callable[[str], object]) -> None:
    """Check mitmproxy's own options. `option`: name -> value, `None` if there is no such option.

    Raises `OptionError` for the first one that the addon can't work with.
    """
    if given := option("stream_large_bodies"):
        refused = say("must not be set, larger bodies would be sent past hunyuan-fix unrepaired")
        raise OptionError(f"stream_large_bodies={given}: {refused}")
