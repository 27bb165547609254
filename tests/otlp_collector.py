"""A collector of traces: OTLP over HTTP, decoded by OpenTelemetry's own messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Received:
    """One span as it arrived."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    attributes: Mapping[str, Any]
    events: list[tuple[str, Mapping[str, Any]]]
    status: int
    resource: Mapping[str, Any]
    schema: str


@dataclass(slots=True)
class Collector:
    """A running collector. `status` and `body` are what it answers; it waits for `go` before that."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    raw: list[bytes] = field(default_factory=list)
    """The bodies that came."""
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    @property
    def spans(self) -> list[Received]:
        return [span for raw in self.raw for span in decoded(raw)]

    @property
    def roots(self) -> list[Received]:
        """The spans of exchanges."""
        return [span for span in self.spans if span.kind == "SERVER"]

    def below(self, parent: Received) -> list[Received]:
        """The spans below `parent`, in the order in which they began. One that was sent twice counts once."""
        found = {span.span_id: span for span in self.spans if span.parent_id == parent.span_id}
        return sorted(found.values(), key=lambda span: span.began)


def decoded(raw: bytes) -> Iterator[Received]:
    request = ExportTraceServiceRequest.FromString(raw)
    for of_resource in request.resource_spans:
        resource = _plain(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Received(
                    name=span.name,
                    kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    attributes=_plain(span.attributes),
                    events=[(event.name, _plain(event.attributes)) for event in span.events],
                    status=span.status.code,
                    resource=resource,
                    schema=of_scope.schema_url,
                )


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@contextmanager
def run_collector() -> Iterator[Collector]:
    collector = Collector()
    collector.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            collector.paths.append(self.path)
            if collector.status < 300:
                collector.raw.append(body)
            collector.go.wait(30)
            self.send_response(collector.status)
            self.send_header("content-length", str(len(collector.body)))
            self.end_headers()
            self.wfile.write(collector.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.go.set()
        server.shutdown()
        server.server_close()
