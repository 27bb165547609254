"""The option `hunyuan_plugins`."""

from __future__ import annotations

from dataclasses import dataclass

from ..config.option import option
from .loading import plugins
from .made import Plugins


@dataclass(frozen=True)
class PluginSettings:
    """Code of the user's own."""

    plugins: Plugins = option(
        "",
        "Plug-ins: paths of .py files, names of modules or of entry points; *: every installed entry point. Their code "
        "runs in the proxy, with all its rights. Read at the start only.",
        plugins,
    )
