"""Watches for alerts while the proxy runs: looks at the metrics, logs what begins and ends, tells the webhook."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

from ...exchange import JsonObject
from ...texts import sentences, terminal
from ...texts.terminal import say
from ...upstream.client import Transport
from ...wire import safe_text
from ..metrics import Metrics, Reading, counter, gauge
from . import readings
from .alert import known
from .engine import Change, Engine
from .notice import Notice
from .prometheus import INTERVAL
from .settings import AlertSettings
from .webhook import Address, Webhook

logger = logging.getLogger("hunyuan_fix")

FIRING = gauge(
    "hunyuan_alert_firing", "1: the alert fires; 0: it does not. Watched by the proxy itself.", "alert", merged="max"
)
TOLD = counter("hunyuan_alert_webhook_total", "Notices of alerts for the webhook, by what came of them.", "result")

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.WARNING}
"""Not as errors: one that is logged at the start makes mitmdump end."""


class Watch:
    """Looks every `INTERVAL` seconds. `clock` only moves forward; `wall` is Unix time. Both in seconds."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        webhook: Webhook | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._clock, self._wall = clock, wall
        self.webhook = webhook or Webhook(Address())
        self._limits = {name: alert.limits for name, alert in known().items() if alert.in_process}
        self._alerts = known()
        self._engine = self._new_engine()
        self._task: asyncio.Task[None] | None = None
        metrics.read_from(self._readings)

    def _new_engine(self) -> Engine:
        engine = Engine(self._alerts.values())
        engine.configure(self._limits)
        return engine

    def configure(self, settings: AlertSettings, address: Address, transport: Transport) -> None:
        """Use `settings` from the next look on, and tell `address`."""
        self._limits = dict(settings.alerts)
        if known() != self._alerts:  # at the start: those of plug-ins are known by now
            self._alerts = known()
            self._engine = self._new_engine()
        self._engine.configure(self._limits)
        self.webhook.configure(address, transport)

    def start(self) -> None:
        """Begin to look, unless it has begun. Needs a running event loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="hunyuan-fix watches for alerts")

    async def aclose(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
        await self.webhook.aclose()

    async def _watch(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:
                said = say("Alerts could not be looked at:")
                logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            await asyncio.sleep(INTERVAL)

    def look(self) -> list[Notice]:
        """Look once: log and send what began and what ended, and return it."""
        if not self._limits and not self.firing():
            self._engine = self._new_engine()  # what is counted while nothing is watched is no growth afterwards
            return []
        changes = self._engine.look(self._clock(), readings.samples(self._metrics, self._engine.samples))
        notices = [self._notice(change) for change in changes]
        for notice in notices:
            level = logging.INFO if notice.ended else _LEVELS[notice.alert.severity]
            logger.log(level, "%s", notice.line(terminal.language()))
        self.webhook.tell(notices)
        return notices

    def firing(self) -> list[str]:
        """The names of the alerts that fire."""
        return [name for name, state in self._engine.states.items() if state.phase == "firing"]

    def status(self, language: str = sentences.SOURCE) -> list[JsonObject]:
        """How each alert stands, in the order of the table, as plain data.

        `state`: `off`, `ok`, `pending` (beyond its threshold, not yet for long enough) or `firing`; `since`: Unix time
        of its beginning, `None` unless it fires. `summary` and `action` are texts in `language`; the summary is empty
        unless it is pending or fires. `value`: `None` where there is none, as without traffic.
        """
        return [*self._status(language)]

    def _status(self, language: str) -> Iterator[JsonObject]:
        for name, state in self._engine.states.items():
            alert, limits, phase = state.alert, state.limits or state.alert.limits, state.phase
            value = state.value
            is_so = phase in ("pending", "firing") and value is not None
            notice = Notice(alert, limits.threshold, value, 0)
            yield {
                "name": name,
                "severity": alert.severity,
                "state": phase,
                "since": None if state.began is None else self._unix(state.began),
                "value": value,
                "threshold": limits.threshold,
                "ends": limits.ends,
                "summary": alert.said(language, notice.shown, limits.threshold) if is_so else "",
                "action": sentences.said(language, alert.action),
            }

    def _notice(self, change: Change) -> Notice:
        ended = 0.0 if change.firing else self._unix(change.at)
        return Notice(change.alert, change.limits.threshold, change.value, self._unix(change.began), ended)

    def _unix(self, at: float) -> float:
        return self._wall() - (self._clock() - at)

    def _readings(self) -> Iterator[Reading]:
        for name, state in self._engine.states.items():
            if state.limits is not None:
                yield FIRING, (name,), state.phase == "firing"
        for result, count in self.webhook.counts.items():
            yield TOLD, (result,), count
