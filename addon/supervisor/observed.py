"""What the supervisor shows of all workers: the admin server, alerts, its own lines of the log.

The options are the workers': each says the values that count, as it begins to serve and when they change.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TextIO

from ..config import operating_system
from ..config.hook_options import DrainingSettings
from ..config.option import OptionError, parse
from ..config.watched_file import Watcher
from ..exchange import JsonObject
from ..observe import prometheus
from ..observe.admin.admin import Admin
from ..observe.admin.request import Request
from ..observe.admin.rooms import Rooms
from ..observe.admin.settings import AdminSettings
from ..observe.alerts.settings import AlertSettings
from ..observe.alerts.watch import Watch
from ..observe.health import Check, Health
from ..observe.log_file import FileLog, LogSettings
from ..observe.log_format import JsonLines
from ..page.page import Page
from ..page.sources import Sources
from ..stores import StoreSettings
from ..texts import LANGUAGES, terminal
from ..texts.terminal import say
from ..upstream.client import Transport
from ..wire import safe_text
from .asked_workers import PageOfWorkers
from .supervisor import Supervisor
from .workers_check import WorkersCheck

logger = logging.getLogger("hunyuan_fix")

_PROBES = ("/healthz", "/readyz")
"""Paths that nobody waits for a worker's answer for."""

TOLD = (AdminSettings, AlertSettings, LogSettings, DrainingSettings, StoreSettings)
"""The options that the supervisor needs, beside `LANGUAGE`."""
LANGUAGE = "hunyuan_language"


@dataclass(slots=True)
class _Rooms(Rooms):
    why: Callable[[], str] = str

    def why_not_ready(self) -> str:
        """As the supervisor has it."""
        return self.why()


class _TextLines(logging.Formatter):
    """Lines like mitmproxy's, beside which they stand."""

    def format(self, record: logging.LogRecord) -> str:
        """The time of day and the message."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        return f"[{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}] {safe_text.lines(record.getMessage())}"


class Observed:
    """The admin server, the alerts and the log for the workers of `supervisor`. `output`: where lines go.

    `listens`: as in `Sources`.
    """

    def __init__(self, supervisor: Supervisor, output: TextIO, listens: Sequence[tuple[str, str]] = ()) -> None:
        self._supervisor = supervisor
        sources = Sources(supervisor.exchanges, supervisor.minutes, listens=lambda: listens)
        page = PageOfWorkers(Page(sources), supervisor)
        supervisor.joined = page.joined
        self.admin = Admin(
            _Rooms(
                metrics=lambda accept: prometheus.exposition(supervisor.metrics, accept, supervisor.pids),
                checks=self._checks,
                status=self._status,
                exchanges=supervisor.exchanges,
                is_started=lambda: supervisor.has_started,
                page=page,
                why=supervisor.why_not_ready,
            ),
            before=self._before,
        )
        self.alerts = Watch(supervisor.metrics)
        self._health = Health([Check("workers", WorkersCheck(supervisor).look)])
        supervisor.metrics.read_from(self._health.readings)
        self.admin_is_given = False
        """Somebody has asked for the admin server."""
        self.has_redis = False
        self.has_store = False
        """There is a store beside memory."""
        self._log_file = FileLog()
        self._terminal = logging.StreamHandler(output)
        self._terminal.setFormatter(_TextLines())
        self._watcher = Watcher(self.admin.refresh, self._refresh_webhook)
        root = logging.getLogger()
        root.addHandler(self._terminal)
        root.setLevel(logging.INFO)
        logging.getLogger("asyncio").setLevel(logging.WARNING)

    def configure(self, about: JsonObject) -> None:
        """Use the options of a worker from now on. Its own start has found them good."""
        values = about["options"]
        language = values.get(LANGUAGE)
        given = language if language in LANGUAGES else ""
        terminal.use(given or terminal.preferred(os.environ, operating_system.locale_name()))
        log = parse(LogSettings, values)
        self._terminal.setFormatter(JsonLines() if log.log == "json" else _TextLines())
        alerts = parse(AlertSettings, values)
        transport = Transport(**{field.name: about["transport"][field.name] for field in fields(Transport)})
        self._supervisor.drain_timeout = parse(DrainingSettings, values).drain_timeout
        places = parse(StoreSettings, values).store
        self.has_redis = places.redis is not None
        self.has_store = self.has_redis or places.sqlite is not None
        self.admin_is_given = bool(about["admin_is_given"])
        try:
            self._log_file.use(log, self._log_file.opened(log))
            webhook = self.alerts.webhook.address.configured(alerts.alert_webhook_file)
            self.alerts.configure(alerts, webhook, transport)
            self.admin.configure(parse(AdminSettings, values))
        except OptionError as error:
            logger.error("%s", error)

    def start(self) -> None:
        """Listen, and watch for alerts. Raises `OptionError` where an address that was asked for can't be opened."""
        try:
            self.admin.start()
        except OptionError as error:
            if self.admin_is_given:
                raise
            logger.warning("%s", say("{problem}: this proxy runs without an admin server.", problem=str(error)))
        self.alerts.start()
        self._health.start()
        self._watcher.start()

    def drain(self) -> None:
        """The workers end: say so to probes and listeners."""
        self.admin.drain()

    async def aclose(self) -> None:
        """Close everything."""
        self._watcher.stop()
        self._health.stop()
        await self.admin.aclose()
        await self.alerts.aclose()
        self._log_file.close()
        logging.getLogger().removeHandler(self._terminal)

    def _checks(self, language: str) -> list[Mapping[str, object]]:
        return [*self._health.report(language), *self._supervisor.checks(language)]

    def _status(self, language: str) -> JsonObject:
        return {
            **self._supervisor.status(),
            "alerts": self.alerts.status(language),
            "listeners": len(self.admin.live),
        }

    async def _before(self, request: Request) -> None:
        if request.path not in _PROBES:
            await self._supervisor.refresh()

    async def _refresh_webhook(self) -> None:
        await self.alerts.webhook.address.refresh()
