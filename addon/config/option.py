"""An option, and how the settings class of a feature declares it.

A feature declares its options once, beside its code, as the fields of a frozen dataclass:

    @dataclass(frozen=True)
    class BreakerSettings:
        breaker_failures: int = option("5", "Failures in a row after which …", values.count(0))

The field holds the parsed value. The option is called `hunyuan_breaker_failures`; its default is given as the text that
a user would write. `BreakerSettings()` has the defaults. `addon/options.py` lists the settings classes.

For mitmproxy each option is a string or a switch: an invalid value of another type would silently keep the addon from
loading (docs/facts/mitmproxy.md#option-types). `parse` checks what the strings mean.
"""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import get_annotations
from typing import Any, cast, overload

from ..texts.terminal import say

type Value = str | bool
"""An option's value as mitmproxy has it: text, or a switch."""
type Values = Mapping[str, Value]
"""Option name -> value."""

PREFIX = "hunyuan_"
"""The prefix of all option names."""

_METADATA = "option"


class OptionError(ValueError):
    """An invalid option value. The text names the option, the value and what is accepted."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option, as docs/options.md, mitmweb's options page and `mitmdump --options` show it."""

    name: str
    default: str | bool
    help: str
    read: Callable[[str], object] | None = None
    """Text -> value; raises `ValueError` with what is accepted. `None` for switches."""

    @property
    def type(self) -> type[str] | type[bool]:
        """The type declared to mitmproxy."""
        return type(self.default)

    @property
    def is_table(self) -> bool:
        """It has rows (`values.Reader.is_table`): a file of options may have them as they are."""
        return bool(getattr(self.read, "is_table", False))

    @property
    def field(self) -> str:
        """The field of the settings class; a keyword of Python's has an underscore behind it there."""
        name = self.name.removeprefix(PREFIX)
        return f"{name}_" if keyword.iskeyword(name) else name

    def parse(self, value: object) -> object:
        """The parsed `value`, which is text or a switch. Raises `OptionError`."""
        text = str(value).strip()
        try:
            if self.read is not None:
                return self.read(text)
            if not isinstance(value, bool):
                raise ValueError(say("accepted are true and false"))
        except ValueError as error:
            shown = "" if self.is_table else f"={without_password(text)}"
            raise OptionError(f"{self.name}{shown}: {error}") from None
        return value


def switch(text: str) -> bool:
    """The switch that `text` stands for, in a file, a variable or on a command line. Raises `ValueError`."""
    if (word := text.strip().lower()) not in ("true", "false"):
        raise ValueError(say("accepted are true and false"))
    return word == "true"


def without_password(text: str) -> str:
    """A value to be shown: without a user name and password in a URL."""
    return re.sub(r"//[^/@]*@", "//***@", text)


@overload
def option(default: bool, help: str) -> bool: ...
@overload
def option[T](default: str, help: str, read: Callable[[str], T]) -> T: ...
def option(default: str | bool, help: str, read: Callable[[str], object] | None = None) -> Any:
    """A field of a settings class, declared as an option. `read`: text -> value; none for a switch.

    `read` raises `ValueError` with what is accepted.
    """
    return dataclasses.field(
        default_factory=lambda: default if read is None else read(cast(str, default)),
        metadata={_METADATA: (default, help, read)},
    )


def options_of(settings: type[Any]) -> tuple[Option, ...]:
    """The options that the settings class `settings` and its bases declare, in the order of the bases."""
    fields = {field.name: field for field in dataclasses.fields(settings)}
    names = (name for owner in settings.__mro__ for name in get_annotations(owner) if name in fields)
    return tuple(
        Option(PREFIX + name.removesuffix("_"), *fields[name].metadata[_METADATA]) for name in dict.fromkeys(names)
    )


def parse[S](settings: type[S], values: Mapping[str, object]) -> S:
    """A `settings` from `values` (option name -> text or switch; missing ones have their default).

    Raises `OptionError` for the first invalid value.
    """
    parsed = {option.field: option.parse(values.get(option.name, option.default)) for option in options_of(settings)}
    return settings(**parsed)


def part[S](settings: S, kind: type[S]) -> S:
    """The part of `settings` that `kind`, one of the bases of its class, declares."""
    return kind(**{option.field: getattr(settings, option.field) for option in options_of(kind)})
