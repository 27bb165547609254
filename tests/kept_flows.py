"""Flows as mitmproxy keeps them: seen by an addon beside ours, or read back from a file."""

from __future__ import annotations

import io
from pathlib import Path

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter


class Kept:
    """An addon that keeps the HTTP flows that come in, oldest first."""

    name = "kept"

    last: HTTPFlow

    def __init__(self) -> None:
        self.flows: list[HTTPFlow] = []

    def requestheaders(self, flow: HTTPFlow) -> None:
        self.flows.append(flow)
        self.last = flow


def read(path: Path) -> list[HTTPFlow]:
    with path.open("rb") as file:
        return [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]


def saved_and_read(flow: Flow) -> Flow:
    """`flow` as it comes out of a file. A flow that can't be saved raises here."""
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    file.seek(0)
    (read,) = FlowReader(file).stream()
    return read
