"""Options of the features in `hooks/`, declared here because every reader of options is below that room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import values as read
from .option import option

type Mode = Literal["repair", "observe", "off"]

MODES: tuple[Mode, ...] = ("repair", "observe", "off")
"""What is done to bodies: the values of `hunyuan_mode`."""


@dataclass(frozen=True)
class BodySettings:
    """Bodies that are read (`hooks.request_body`)."""

    max_body: int = option(
        "64m",
        "Size of an unpacked request body beyond which the request is refused (413).",
        read.size,
    )
    """Bytes."""


@dataclass(frozen=True)
class InterceptionSettings:
    """Connections that are decrypted (`hooks.connections`)."""

    intercept_all: bool = option(False, "For debugging: decrypt connections to every host, and log all of them.")


@dataclass(frozen=True)
class FlowSettings:
    """What is done to a flow's body, and what is kept in the flow (`hooks.bodies`, `hooks.redaction`). Sizes: bytes."""

    mode: Mode = option(
        "repair",
        "What is done to bodies: repair, observe (they pass unchanged; the log says what would have been "
        "changed) or off. The header x-hunyuan-mode says it for one request.",
        read.choice(*MODES),
    )
    keep_original: int = option(
        "1m",
        "Size up to which the original of a rewritten request is kept, for the views and in saved flows; 0: never.",
        read.bound,
    )
    keep_streams: int = option(
        "1m",
        "Bytes of a streamed answer that are kept for the views and in saved flows; 0: none.",
        read.bound,
    )
    redact: bool = option(
        True,
        "Replace keys, cookies and passwords in a flow once the exchange is over. A replay then has no key.",
    )


@dataclass(frozen=True)
class HeartbeatSettings:
    """Streams in which nothing comes (`hooks.keep_alive`)."""

    heartbeat: float = option(
        "10",
        "Seconds of silence after which the client of a streamed answer gets a sign that it goes on; 0: never.",
        read.pause,
    )


@dataclass(frozen=True)
class DispatchSettings:
    """mitmproxy's event dispatch (`hooks.mitmproxy_internals`)."""

    fast_dispatch: bool = option(
        True,
        "Replace mitmproxy's event dispatch and some checks by faster ones that do the same, if its version is known.",
    )


@dataclass(frozen=True)
class DrainingSettings:
    """The end of the process (`hooks.draining`)."""

    drain_timeout: float = option(
        "30",
        "Seconds that exchanges under way may take to end after SIGTERM.",
        read.seconds,
    )
