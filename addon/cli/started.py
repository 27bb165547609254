"""What `hunyuan-fix run` does when the proxy serves clients: tells the user or a program, and keeps its state file."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from .. import texts
from ..hooks import authority
from ..texts.terminal import say
from . import key_check, state
from .banner import instructions
from .launch import Launch
from .state import Running

if TYPE_CHECKING:
    from ..hooks.connections import InForce


class Started:
    """A proxy that `launch` describes. `about_key`: a line about its key that is known already; `output`: for JSON.

    `turn`: what keeps other starts waiting (`state.turn_to_start`).
    """

    def __init__(self, launch: Launch, about_key: str, output: TextIO, turn: BinaryIO | None = None) -> None:
        self._launch = launch
        self._about_key = about_key
        self._output = output
        self._turn = turn
        self._file: Path | None = None
        self._began = datetime.now(UTC).isoformat(timespec="seconds")

    async def ready(self, addon: InForce) -> None:
        """Clients are served: keep the state, print how to use the proxy, then what is known of the key."""
        launch = self._launch
        self._keep(addon)
        if self._turn is not None:
            self._turn.close()
        version = metadata.version("hunyuan-fix")
        if not launch.json:
            print(instructions(launch, _upstream(addon), version, self._admin(addon)), file=self._output, flush=True)
            if self._about_key and (addon.settings.trust_loopback or not addon.runtime.key.value):
                print(self._about_key, file=self._output, flush=True)
        if self._about_key and not addon.runtime.key.value:
            checked = key_check.KeyCheck("none", self._about_key)  # it says why there is none
        else:
            checked = await key_check.checked(addon)
            by_proxy = launch.kimi is not None or addon.runtime.http_client.transport.proxy is not None
            if checked.result == "unreachable" and not by_proxy:
                hint = key_check.unused_proxy(
                    os.environ, key_check.route_of(addon).address.host, (launch.port, launch.reverse_port)
                )
            else:
                hint = None
            if not launch.json:
                print("\n".join(filter(None, (checked.said, hint))), file=self._output, flush=True)
        if launch.json:
            running = self._running(addon)
            told = {
                "base_url": f"{running.reverse_url}/v1",
                "base_url_anthropic": running.reverse_url,
                "proxy_url": running.proxy_url,
                "ca": str(authority.ca_file(launch.confdir)),
                "bundle": str(authority.bundle_file(launch.confdir)),
                "key": {"result": checked.result, "message": checked.said, "models": checked.models},
                **{name: getattr(running, name) for name in _TOLD},
            }
            print(json.dumps(told, ensure_ascii=False), file=self._output, flush=True)

    def changed(self, addon: InForce) -> None:
        """Keep the state anew: another endpoint, another mode."""
        self._keep(addon)

    def ended(self) -> None:
        """Remove the state."""
        if self._file is not None:
            state.remove(self._file)

    def _admin(self, addon: InForce) -> str:
        """What a browser opens: a link that signs in, if there is a token and a person looks; no log gets it."""
        admin = addon.runtime.admin
        return admin.link() if self._output.isatty() else admin.url

    def _keep(self, addon: InForce) -> None:
        try:
            self._file = state.write(self._running(addon))
        except OSError as error:  # commands have to be told the ports then
            said = say("The state file can't be written: {why}", why=error.strerror or type(error).__name__)
            print(said, file=sys.stderr, flush=True)

    def _running(self, addon: InForce) -> Running:
        launch = self._launch
        return Running(
            pid=os.getpid(),
            host=launch.host,
            port=launch.port if launch.kimi is None else None,
            reverse_port=launch.reverse_port,
            upstream=_upstream(addon),
            profile=key_check.route_of(addon).profile,
            mode=addon.settings.mode,
            confdir=str(launch.confdir),
            version=metadata.version("hunyuan-fix"),
            language=texts.language_of(addon.settings.language),
            started=self._began,
            admin_url=addon.runtime.admin.url,
        )


_TOLD = ("pid", "host", "port", "reverse_port", "upstream", "profile", "mode", "version", "started", "admin_url")
"""Fields of the state that are told as they are."""


def _upstream(addon: InForce) -> str:
    return str(addon.settings.upstream or "")
