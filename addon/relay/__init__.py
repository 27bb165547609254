"""The relay: a server on loopback through which calls go under `hunyuan_retry=all`, and which may try them again.

Why a server: an addon can't stream an answer of its own from a hook (docs/facts/mitmproxy.md#own-stream), or send a
request again. So mitmproxy's connection ends here.
"""

from __future__ import annotations

from .job import OWN_HEADER, RELAY_HEADER, TRIES_HEADER, Elsewhere, Fallbacks, Job, JobProgress, Mended
from .relay import Relay

__all__ = [
    "OWN_HEADER",
    "RELAY_HEADER",
    "TRIES_HEADER",
    "Elsewhere",
    "Fallbacks",
    "Job",
    "JobProgress",
    "Mended",
    "Relay",
]
