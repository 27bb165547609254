"""mitmproxy's options: read without knowing which of its parts are loaded, and changed together."""

from __future__ import annotations

from collections.abc import Mapping

from mitmproxy import ctx, exceptions

from ..config.option import OptionError


def option(name: str) -> object:
    """The value of an option of mitmproxy's, `None` where the part that declares it isn't loaded."""
    return getattr(ctx.options, name) if name in ctx.options else None


def update(values: Mapping[str, str | bool]) -> None:
    """Change the options `values` together. Raises `OptionError` where an addon refuses: none has changed then."""
    try:
        ctx.options.update(**values)
    except exceptions.OptionsError as error:
        raise OptionError(str(error)) from error
