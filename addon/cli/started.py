"""What `hunyuan-fix run` does when the proxy serves clients: tells the user or a program, and keeps its state file."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from .. import texts
from ..hooks import authority
from ..texts.terminal import say
from . import key_check, state
from .banner import instructions
from .key_check import KeyCheck
from .launch import Launch
from .state import Running

if TYPE_CHECKING:
    from ..hooks.connections import InForce
    from ..observe.admin.admin import Admin


@dataclass(frozen=True, slots=True)
class Serving:
    """What clients are served by: the values of `hunyuan_upstream`, `…_mode`, `…_language`, the profile, the key."""

    upstream: str
    profile: str
    mode: str
    language: str
    lends_here: bool
    """Programs on this machine are lent the key, if there is one (`hunyuan_trust_loopback`)."""
    has_key: bool

    @classmethod
    def by(cls, addon: InForce) -> Serving:
        """As `addon` has it now."""
        settings = addon.settings
        language = texts.language_of(settings.language)
        return cls(
            upstream=str(settings.upstream or ""),
            profile=key_check.route_of(addon).profile,
            mode=settings.mode,
            language=language,
            lends_here=settings.trust_loopback,
            has_key=key_check.has_key(addon),
        )


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
        served = Serving.by(addon)
        self.greet(served, addon.runtime.admin)
        self.conclude(served, addon.runtime.admin, *await check_key(addon, self._launch, self._about_key))

    def changed(self, addon: InForce) -> None:
        """Keep the state anew: another endpoint, another mode."""
        self.keep(Serving.by(addon), addon.runtime.admin)

    async def done(self) -> None:
        """The proxy ends."""

    def greet(self, served: Serving, admin: Admin) -> None:
        """Keep the state, and print how to use the proxy."""
        self.keep(served, admin)
        if self._turn is not None:
            self._turn.close()
        if not self._launch.json:
            version = metadata.version("hunyuan-fix")
            # A link that signs in is for a person who looks; no log gets it.
            shown = admin.link() if self._output.isatty() else admin.url
            print(instructions(self._launch, served.upstream, version, shown), file=self._output, flush=True)
            if self._about_key and (served.lends_here or not served.has_key):
                print(self._about_key, file=self._output, flush=True)

    def conclude(self, served: Serving, admin: Admin, checked: KeyCheck, hint: str | None) -> None:
        """Print what is known of the key; for programs, all."""
        launch = self._launch
        if not launch.json:
            if checked.said != self._about_key:
                print("\n".join(filter(None, (checked.said, hint))), file=self._output, flush=True)
            return
        running = self._running(served, admin)
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

    def ended(self) -> None:
        """Remove the state."""
        if self._file is not None:
            state.remove(self._file)

    def keep(self, served: Serving, admin: Admin) -> None:
        """Keep the state, for other commands."""
        try:
            self._file = state.write(self._running(served, admin))
        except OSError as error:  # commands have to be told the ports then
            said = say("The state file can't be written: {why}", why=error.strerror or type(error).__name__)
            print(said, file=sys.stderr, flush=True)

    def _running(self, served: Serving, admin: Admin) -> Running:
        launch = self._launch
        return Running(
            pid=os.getpid(),
            host=launch.host,
            port=launch.port if launch.kimi is None else None,
            reverse_port=launch.reverse_port,
            upstream=served.upstream,
            profile=served.profile,
            mode=served.mode,
            confdir=str(launch.confdir),
            version=metadata.version("hunyuan-fix"),
            language=served.language,
            started=self._began,
            admin_url=admin.url,
        )


async def check_key(addon: InForce, launch: Launch, about_key: str) -> tuple[KeyCheck, str | None]:
    """What is known of the key that `addon` lends, and a hint where its endpoint can't be reached.

    `about_key`: what is known already; where there is no key, it says why.
    """
    if about_key and not key_check.has_key(addon):
        return KeyCheck("none", about_key), None
    checked = await key_check.checked(addon)
    by_proxy = launch.kimi is not None or addon.runtime.http_client.transport.proxy is not None
    if checked.result != "unreachable" or by_proxy:
        return checked, None
    own_ports = (launch.port, launch.reverse_port)
    return checked, key_check.unused_proxy(os.environ, key_check.route_of(addon).address.host, own_ports)


_TOLD = ("pid", "host", "port", "reverse_port", "upstream", "profile", "mode", "version", "started", "admin_url")
"""Fields of the state that are told as they are."""
