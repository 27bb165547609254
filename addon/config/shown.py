"""The values of options as people may see them: without passwords, and without what may be a secret."""

from __future__ import annotations

from .option import Option, Value, without_password

_COMMAND_LINES = frozenset(["hunyuan_search_command"])
"""Options whose arguments may hold a secret, which no pattern tells from other words."""


def value(option: Option, given: Value) -> str:
    """The value of `option` as it may be shown; `""`: it is empty. A table is JSON."""
    if isinstance(given, bool):
        return str(given).lower()
    if option.is_table:
        return given
    text = without_password(given)
    if option.name in _COMMAND_LINES and " " in text.strip():
        return f"{text.split()[0]} …"
    return text
