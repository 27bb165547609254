"""Traces of exchanges: begun at the headers, told to the collector once an exchange is over."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ... import events
from ...config.option import OptionError
from ...events import Event
from ...texts.terminal import say
from ...wire import safe_text, trace_context
from ...wire.trace_context import Trace
from ..sinks import Sinks
from . import settings as of_options
from . import spans
from .sampling import Sampler
from .settings import Export, TraceSettings

if TYPE_CHECKING:
    from .export import Exporter

_MOST_OPEN = 10_000
"""Exchanges under way whose events are kept; of further ones the oldest is forgotten."""
_MOST_EVENTS = 500
"""Events that are kept of one exchange: a request for vectors may be a thousand calls."""
_PACKAGES = "'opentelemetry-sdk>=1.40,<2' 'opentelemetry-exporter-otlp-proto-http>=1.40,<2'"
"""What the extra `otel` adds, as a shell wants it."""


class _TraceSink:
    """The sink that keeps the events of traced exchanges until they are over, and sends their spans then."""

    name = "traces"
    kinds: Iterable[str] = events.KINDS

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._open: dict[str, list[Event]] = {}
        self.forgotten = 0
        """Exchanges whose end never came, or came too late."""

    def hear(self, event: Event) -> None:
        """Take in an event."""
        if event.kind == events.CAME:
            if event.data.get("sampled"):
                if len(self._open) >= _MOST_OPEN:
                    del self._open[next(iter(self._open))]
                    self.forgotten += 1
                self._open[event.id] = [event]
            return
        told = self._open.get(event.id)
        if told is None:
            return
        if event.kind == events.DONE:
            del self._open[event.id]
            self._exporter.send(spans.tree([*told, event]))
        elif len(told) < _MOST_EVENTS:
            told.append(event)


class Traces:
    """Whether exchanges are traced, and how. One for each runtime."""

    def __init__(self, sinks: Sinks, environment: Mapping[str, str] = os.environ) -> None:
        self._sinks = sinks
        self._environment = environment
        self._export: Export | None = None
        self._exporter: Exporter | None = None
        self._sink: _TraceSink | None = None
        self._sampler = Sampler()
        self.are_on = False

    def begin(self, traceparent: str | None, tracestate: str | None, *, is_sent_on: bool) -> Trace:
        """The trace of an exchange whose request has these headers."""
        client = trace_context.parent(traceparent, tracestate)
        return trace_context.begin(client, self._sampler.samples, is_sent_on=is_sent_on)

    def prepared(self, settings: TraceSettings) -> Callable[[], list[str]]:
        """What lets exchanges be traced as `settings` say, once it is called; it returns sentences for the log.

        Raises `OptionError` for variables that can't be followed, and where a package is missing.
        """
        export, notes = of_options.export(settings, self._environment)
        if export == self._export:
            return lambda: []
        exporter = None if export is None else _exporter(export)

        def use() -> list[str]:
            before, self._exporter, self._export = self._exporter, exporter, export
            self.are_on = exporter is not None
            self._sinks.remove(_TraceSink.name)
            if exporter is not None and export is not None:
                self._sampler = export.sampler
                self._sink = _TraceSink(exporter)
                self._sinks.add(self._sink, apart=True)
            if before is not None:
                threading.Thread(target=before.close, name="hunyuan-fix ends traces", daemon=True).start()
            return notes

        return use

    def close(self) -> None:
        """Send the last spans, for some seconds. The sinks are closed by then."""
        if self._exporter is not None:
            self._exporter.close()

    def counts(self) -> Mapping[str, int]:
        """Spans by what became of them; empty where traces are off."""
        if self._exporter is None:
            return {}
        exporter = self._exporter
        return {"exported": exporter.exported, "lost": exporter.lost, "dropped": exporter.dropped}


def _exporter(export: Export) -> Exporter:
    try:
        from .export import Exporter  # noqa: PLC0415 - the SDK takes a third of a second to load

        return Exporter(export)
    except ValueError as error:
        why = safe_text.line(str(error), 200)
        raise OptionError(say("hunyuan_traces: the variables OTEL_… can't be used: {why}", why=why)) from None
    except ImportError:
        missing = say(
            "hunyuan_traces needs packages that are not installed; pip install {packages} adds them, in a clone the "
            "variable HUNYUAN_FIX_EXTRA=otel at the next start",
            packages=_PACKAGES,
        )
        raise OptionError(missing) from None
