"""Situations for the checks that need no proxy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import trustme

from hunyuan_fix.cli.doctor.listeners import Listener
from hunyuan_fix.cli.doctor.situation import Situation
from hunyuan_fix.config.values import BaseUrl
from tests.end_to_end.processes import LEGACY, Certificates

RUNNING: dict[str, Any] = {"proxy": Listener.HUNYUAN_FIX, "reverse": Listener.HUNYUAN_FIX}
"""What of a situation is different where a proxy runs on its ports."""


def situation(certificates: Certificates, **given: str) -> Situation:
    """No proxy runs, the CA is there, and these variables are set."""
    return Situation(
        port=8080,
        reverse_port=4000,
        confdir=certificates.confdir,
        upstream=BaseUrl("https", LEGACY, 443, "/v1"),
        online=False,
        environment={"PATH": os.environ["PATH"], **given},
        proxy=Listener.NOTHING,
        reverse=Listener.NOTHING,
        prefix="scripts/",
    )


def at(confdir: Path) -> Situation:
    """A situation with another folder."""
    return situation(Certificates(trustme.CA(), confdir, confdir))
