"""Checks of the given options: names and values of the addon's, and those of mitmproxy's that it can't work with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping

from ..did_you_mean import suggestion
from .option import PREFIX, Option, OptionError

type TextsGiven = Callable[[object], list[str] | None]
"""The texts that `--set` gave, of a value in mitmproxy's `options.deferred`; `None` if it is from config.yaml."""


def settle_given(deferred: MutableMapping[str, object], options: Iterable[Option], texts_of: TextsGiven) -> list[str]:
    """Check the `hunyuan_…` values in mitmproxy's `options.deferred`, and replace them by plain ones.

    Called before the options are declared. Without it a switch that is neither true nor false, an option without
    `=value` or one given twice would silently keep the addon from loading, and a misspelt name would be ignored
    (docs/facts/mitmproxy.md#option-types). Removes invalid ones and returns one line for each.
    """
    known = {option.name: option for option in options}
    problems = []
    for name in [name for name in deferred if name.startswith(PREFIX)]:
        given = deferred.pop(name)
        if name not in known:
            problems.append(f"{name}: there is no such option{suggestion(name, known)}")
            continue
        try:
            deferred[name] = _settled(given, texts_of(given), switch=known[name].type is bool)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return problems


def _settled(given: object, texts: list[str] | None, *, switch: bool) -> str | bool:
    value = given
    if texts is not None:
        if len(texts) > 1:
            raise ValueError("given more than once; several values are separated by commas")
        if not texts and not switch:
            raise ValueError("needs a value: --set name=value")
        value = texts[0] if texts else True
    if switch:
        word = str(value).lower()
        if word not in ("true", "false"):
            raise ValueError(f"{value} is not accepted; accepted are true and false")
        return word == "true"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


def check_mitmproxy(option: Callable[[str], object]) -> None:
    """Check mitmproxy's own options. `option`: name -> value, `None` if there is no such option.

    Raises `OptionError` for the first one that the addon can't work with.
    """
    if option("stream_large_bodies"):
        raise OptionError(
            f"stream_large_bodies={option('stream_large_bodies')}: must not be set, larger bodies would be sent "
            "past hunyuan-fix unrepaired"
        )
