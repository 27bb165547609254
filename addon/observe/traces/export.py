"""Spans to a collector, by OpenTelemetry's SDK: in batches, in a thread of its own, from a queue with an end.

Loaded only where traces are on: the SDK takes a third of a second. A collector that is down, slow or refuses costs no
exchange anything; what it doesn't take is counted, and said once an outage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from importlib import metadata

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ...texts.terminal import say
from . import spans
from .sending import Session
from .settings import Export
from .spans import Span, Tree

logger = logging.getLogger("hunyuan_fix")

PATIENCE = 3.0
"""Seconds for the last spans at the end."""
_MOST_WAITING = 8192
"""Spans that wait for the collector: those of some thousand exchanges, 10 MB."""
_QUIET = 600.0
"""Seconds between two sentences about a collector that fails."""
_SERVICE = "hunyuan-fix"
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

# Both say each batch that fails, with texts of the collector's; here it is said once.
for _name in ("opentelemetry", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class _Watched(SpanExporter):
    """An exporter whose batches are counted, and whose failure is said once an outage."""

    def __init__(self, exporter: SpanExporter, session: Session, where: str) -> None:
        self._exporter = exporter
        self._session = session
        self._where = where
        self._said_at = -_QUIET
        self.exported = 0
        self.lost = 0

    def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `batch`. Raises nothing."""
        try:
            result = self._exporter.export(batch)
        except Exception:
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self.exported += len(batch)
            return result
        self.lost += len(batch)
        if time.monotonic() - self._said_at >= _QUIET:
            self._said_at = time.monotonic()
            said = say(
                "The collector of traces at {where} takes no spans ({why}): they are lost, and counted.",
                where=self._where,
                why=self._session.outcome,
            )
            logger.warning("%s", said)
        return result

    def shutdown(self) -> None:
        """Give up what is being tried again."""
        self._exporter.shutdown()

    @property
    def taken(self) -> int:
        """Spans that have left the queue."""
        return self.exported + self.lost


class Exporter:
    """Sends the spans of exchanges to the collector that `export` names. Raises `ImportError` without its package."""

    def __init__(self, export: Export) -> None:
        where = export.endpoint or "OTEL_EXPORTER_OTLP_ENDPOINT"
        session = Session()
        self._watched = _Watched(OTLPSpanExporter(endpoint=export.endpoint, session=session), session, where)
        self._processor = BatchSpanProcessor(self._watched, max_queue_size=_MOST_WAITING)
        self._resource = _resource()
        self._scope = InstrumentationScope("hunyuan_fix", _version(), spans.names().schema)
        self._given = 0
        self.dropped = 0
        """Spans for which there was no place."""

    @property
    def exported(self) -> int:
        """Spans that the collector has taken."""
        return self._watched.exported

    @property
    def lost(self) -> int:
        """Spans that it hasn't."""
        return self._watched.lost

    def send(self, tree: Tree) -> None:
        """Queue the spans of an exchange."""
        if self._given - self._watched.taken + len(tree.spans) > _MOST_WAITING:
            self.dropped += len(tree.spans)
            return
        self._given += len(tree.spans)
        trace_id = int(tree.trace_id, 16)
        for span in tree.spans:
            self._processor.on_end(self._readable(trace_id, span, is_remote=span is tree.spans[0]))

    def _readable(self, trace_id: int, span: Span, *, is_remote: bool) -> ReadableSpan:
        """A span as exporters read it: made at once, since it is over. A tracer's takes ten times as long."""
        parent = int(span.parent_id or "0", 16)
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=_SAMPLED),
            parent=SpanContext(trace_id, parent, is_remote=is_remote, trace_flags=_SAMPLED) if parent else None,
            resource=self._resource,
            attributes=span.attributes,
            events=[SpanEvent(name, given, _nanoseconds(at)) for name, at, given in span.events],
            kind=_KINDS[span.kind],
            instrumentation_scope=self._scope,
            status=Status(StatusCode.ERROR) if span.has_failed else Status(StatusCode.UNSET),
            start_time=_nanoseconds(span.began),
            end_time=_nanoseconds(span.ended),
        )

    def close(self, patience: float = PATIENCE) -> None:
        """Send what waits, for `patience` seconds. What is left then is lost."""
        # The SDK would wait for 30 s, and for as long as a collector takes to answer.
        closing = threading.Thread(target=self._processor.shutdown, name="hunyuan-fix ends traces", daemon=True)
        closing.start()
        closing.join(patience)


def _resource() -> Resource:
    """Who sends the spans: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else the names of this package."""
    given = Resource.create()
    own = {SERVICE_VERSION: _version()} if SERVICE_VERSION not in given.attributes else {}
    if str(given.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        own[SERVICE_NAME] = _SERVICE
    return given.merge(Resource(own))


def _version() -> str:
    try:
        return metadata.version("hunyuan-fix")
    except metadata.PackageNotFoundError:  # run by its path
        return "0"


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
