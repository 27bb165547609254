"""mitmproxy's options, also those that it has not taken over yet."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from itertools import pairwise

from mitmproxy import ctx, exceptions

from ...config.option import PREFIX, OptionError


def option(name: str) -> object:
    """The value of an option of mitmproxy's, `None` where the part that declares it isn't loaded."""
    return getattr(ctx.options, name) if name in ctx.options else None


def update(values: Mapping[str, str | bool]) -> None:
    """Change the options `values` together. Raises `OptionError` where an addon refuses: none has changed then."""
    try:
        ctx.options.update(**values)
    except exceptions.OptionsError as error:
        raise OptionError(str(error)) from error


def take_given(
    deferred: MutableMapping[str, object], arguments: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, object]]:
    """Remove the addon's options from `deferred`, mitmproxy's values for options that aren't declared yet.

    Returns the texts that `--set` gave, and the values from config.yaml. mitmproxy reads config.yaml after `--set`, and
    one that isn't declared yet is overwritten there (docs/facts/mitmproxy.md#option-types): such a `--set` is found in
    `arguments`, the process's own. Relies on the class `_UnconvertedStrings` of mitmproxy/optmanager.py and its
    attribute `val`.
    """
    command_line: dict[str, list[str]] = {}
    config: dict[str, object] = {}
    lost = None
    for name in [name for name in deferred if name.startswith(PREFIX)]:
        value = deferred.pop(name)
        texts = getattr(value, "val", None)
        if isinstance(texts, list):
            command_line[name] = texts
            continue
        config[name] = value
        lost = set_by(arguments) if lost is None else lost
        if name in lost:
            command_line[name] = lost[name]
    return command_line, config


def set_by(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Option name -> the texts that `--set NAME=TEXT` and `--set=NAME=TEXT` among `arguments` give it."""
    given: dict[str, list[str]] = {}
    for before, word in pairwise(["", *arguments]):
        spec = word if before == "--set" else word.removeprefix("--set=") if word.startswith("--set=") else ""
        name, equals, text = spec.partition("=")
        if name:
            given.setdefault(name, []).extend([text] if equals else [])
    return given
