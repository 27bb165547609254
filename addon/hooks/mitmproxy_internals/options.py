"""mitmproxy's options, also those that it has not taken over yet."""

from __future__ import annotations

from collections.abc import Mapping

from mitmproxy import ctx, exceptions

from ...config.option import OptionError


def option(name: str) -> object:
    """The value of an option of mitmproxy's, `None` where the part that declares it isn't loaded."""
    return getattr(ctx.options, name) if name in ctx.options else None


def update(values: Mapping[str, str | bool]) -> None:
    """Change the options `values` together. Raises `OptionError` where an addon refuses: none has changed then."""
    try:
        ctx.options.update(**values)
    except exceptions.OptionsError as error:
        raise OptionError(str(error)) from error


def given_on_command_line(deferred: object) -> list[str] | None:
    """The texts that `--set` gave, of a value in `options.deferred`; `None` where it comes from config.yaml.

    Relies on the class `_UnconvertedStrings` of mitmproxy/optmanager.py and its attribute `val`.
    """
    texts = getattr(deferred, "val", None)
    return texts if isinstance(texts, list) else None
