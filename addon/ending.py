"""An exchange's end: a line in the log, counts, mark and comment, redaction. Each once, on every way out."""

from __future__ import annotations

import logging
from weakref import WeakSet

from mitmproxy import http

from addon import log, record
from addon.redaction import Redaction
from addon.repair import keep_stream
from addon.statistics import Statistics
from addon.views import marks

logger = logging.getLogger("addon")


class Ending:
    """Ends the exchanges that have begun; flows that were read from a file did so long ago."""

    def __init__(self) -> None:
        self.statistics = Statistics()
        self.colours = False
        """The log may carry colours."""
        self._redaction = Redaction()
        # A flow that was killed isn't live any more when its `error` hook comes.
        self._begun: WeakSet[http.HTTPFlow] = WeakSet()

    def expect(self, flow: http.HTTPFlow) -> None:
        """Remember that `flow` has come in."""
        self._begun.add(flow)

    def end(self, flow: http.HTTPFlow, outcome: str, *, redact: bool) -> None:
        """End the exchange of `flow`; `outcome` is its status or how else it ended."""
        if not flow.live and flow not in self._begun:
            return
        exchange = record.of(flow.metadata)
        if exchange is not None and not exchange["written"]:
            keep_stream(flow, exchange)
            marks.mark(flow, exchange)
            exchange["written"], exchange["plan"] = True, {}
            if exchange["profile"] or exchange["answered"]:
                self.statistics.count(exchange)
                logger.info("%s", log.exchange(exchange, outcome, colours=self.colours))
        if redact:
            self._redaction.redact(flow)

    def end_all(self, *, redact: bool) -> None:
        """End what is under way: mitmproxy is about to end, and saves that too."""
        for flow in [flow for flow in self._begun if flow.live]:
            self.end(flow, "the proxy ended", redact=redact)
        self._redaction.finish()
