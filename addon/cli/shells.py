"""The syntax that sets an environment variable: POSIX shells, fish, PowerShell, cmd."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from ..config import operating_system


def _fish_quoted(text: str) -> str:
    # https://fishshell.com/docs/current/language.html#quotes: two escapes exist within single quotes
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell_quoted(text: str) -> str:
    # about_Quoting_Rules: a doubled quote is one quote. The typographic ones end a string as well.
    return "'" + re.sub("['‘’‚‛]", r"\g<0>\g<0>", text) + "'"


@dataclass(frozen=True, slots=True)
class Shell:
    """The syntax of one kind of shell."""

    quoted: Callable[[str], str]
    _export: str
    _copy: str
    _unset: str
    _activation: str

    def export(self, name: str, value: str) -> str:
        """The line that sets the variable `name`, which needs no quoting itself."""
        return self._export.format(name=name, value=self.quoted(value))

    def copy(self, name: str, source: str) -> str:
        """The line that sets the variable `name` to what the variable `source` holds when the line runs."""
        return self._copy.format(name=name, source=source)

    def unset(self, name: str) -> str:
        """The line that removes the variable. It is no error if that isn't set."""
        return self._unset.format(name=name)

    def activation(self, command: str) -> str:
        """The line that runs the lines which `command` prints."""
        return self._activation.format(command=command)


_POSIX = Shell(shlex.quote, "export {name}={value}", 'export {name}="${source}"', "unset {name}", 'eval "$({command})"')
_FISH = Shell(
    _fish_quoted, "set -gx {name} {value}", 'set -gx {name} "${source}"', "set -e {name}", "{command} | source"
)
_POWERSHELL = Shell(
    _powershell_quoted,
    "$env:{name} = {value}",
    "$env:{name} = $env:{source}",
    "Remove-Item Env:{name} -ErrorAction SilentlyContinue",
    "{command} | Out-String | Invoke-Expression",
)

_CMD = Shell(
    lambda text: text,
    'set "{name}={value}"',
    'call set "{name}=%{source}%"',  # `for` runs a line without replacing variables in it; `call` replaces them
    'set "{name}="',
    "for /f \"delims=\" %i in ('{command}') do @%i",
)

SHELLS: Mapping[str, Shell] = MappingProxyType(
    {**dict.fromkeys(("bash", "zsh", "sh", "ksh", "dash"), _POSIX), "fish": _FISH}
    | dict.fromkeys(("powershell", "pwsh"), _POWERSHELL)
    | {"cmd": _CMD}
)
"""By the name of the program."""


def detected(environment: Mapping[str, str]) -> str | None:
    """The name of the user's shell by `$SHELL`, `None` for a shell not known here.

    Where that isn't set: `powershell` on Windows, else `sh`.
    """
    default = "powershell" if operating_system.is_windows() else "sh"
    name = PurePosixPath(environment.get("SHELL") or default).name.removesuffix(".exe")
    return name if name in SHELLS else None
