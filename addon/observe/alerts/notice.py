"""What a receiver of webhooks is sent about alerts: names, numbers, sentences of the table; no content, no client.

The body is that of Alertmanager's webhooks, version 4, which many receivers take
(https://prometheus.io/docs/alerting/latest/configuration/), or what the receiver's host wants (`webhooks.toml`).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from ...exchange import JsonObject
from ...texts import LANGUAGES, sentences
from ...wire import json_body
from ...wire.host_names import canonical
from . import prometheus
from .alert import Alert, shown

JOB = "hunyuan-fix"
MOST_TEXT = 2000
"""Bytes of a text: WeCom refuses more than 2,048."""

_IN_SECONDS = 120
"""Seconds: an alert that was shorter is told in seconds, a longer one in minutes."""
_MOST_READ = 1 << 16
"""Bytes of an answer that is looked into: those of robots are some words."""
_LARGEST_CODE = 10**12

_NEVER = "0001-01-01T00:00:00Z"
"""The end of an alert that fires, as Go writes no time."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert began to fire, or ended: times are Unix time in seconds, `ended` is 0 while it fires."""

    alert: Alert
    threshold: float
    value: float | None
    began: float
    ended: float = 0.0

    def line(self, language: str) -> str:
        """One line for a person."""
        if self.ended:
            name, lasted = self.alert.name, self.ended - self.began
            if lasted < _IN_SECONDS:
                return sentences.said(
                    language, "Alert {name} has ended after {seconds:.0f} s.", name=name, seconds=lasted
                )
            return sentences.said(
                language, "Alert {name} has ended after {minutes:.0f} min.", name=name, minutes=lasted / 60
            )
        return sentences.said(
            language,
            "Alert {name}: {summary} {action}",
            name=self.alert.name,
            summary=self.alert.said(language, self.shown, self.threshold),
            action=sentences.said(language, self.alert.action),
        )

    @property
    def shown(self) -> str:
        """Its value."""
        return "" if self.value is None else shown(self.value, self.alert.unit)


def body(notices: Sequence[Notice], host: str, instance: str, language: str) -> bytes:
    """The body for the receiver at `host`. `instance`: the name of this machine."""
    form = _forms().get(canonical(host))
    if form is None:
        return json_body.serialise(_of_alertmanager(notices, instance))
    text = "\n".join(f"hunyuan-fix ({instance}) {notice.line(language)}" for notice in notices)
    return json_body.serialise(_filled(form, text.encode()[:MOST_TEXT].decode("utf-8", "ignore")))


def refusal(status: int, answer: bytes) -> str:
    """Why a receiver didn't take it, by its answer; empty if it did. Chat robots refuse with 200 and a code."""
    if not 200 <= status < 300:
        return f"HTTP {status}"
    if len(answer) > _MOST_READ:
        return ""
    try:
        parsed = json_body.parse(answer)
    except ValueError:
        return ""
    codes = (parsed.get(name) for name in ("errcode", "code")) if isinstance(parsed, dict) else ()
    return next((f"code {code}" for code in codes if isinstance(code, int) and code and abs(code) < _LARGEST_CODE), "")


@cache
def _forms() -> Mapping[str, JsonObject]:
    """Host -> the body that it wants."""
    text = resources.files(__package__).joinpath("webhooks.toml").read_text(encoding="utf-8")
    return {host: row["body"] for row in tomllib.loads(text).values() for host in row["hosts"]}


def _filled(form: Any, text: str) -> Any:
    if isinstance(form, dict):
        return {name: _filled(value, text) for name, value in form.items()}
    return text if form == "{text}" else form


def _of_alertmanager(notices: Iterable[Notice], instance: str) -> JsonObject:
    alerts = [_alert(notice, instance) for notice in notices]
    firing = any(alert["status"] == "firing" for alert in alerts)
    return {
        "version": "4",
        "groupKey": JOB,
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": JOB,
        "groupLabels": {},
        "commonLabels": {"job": JOB, "instance": instance},
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": alerts,
    }


def _alert(notice: Notice, instance: str) -> JsonObject:
    alert = notice.alert
    labels = {"alertname": alert.title, "alert": alert.name, "severity": alert.severity}
    labels |= {"job": JOB, "instance": instance}
    texts = dict(prometheus.texts(alert, notice.shown or "-", notice.threshold))
    if notice.ended:  # its value is a good one now: the summary, which says what is wrong, would be untrue
        texts |= {prometheus.in_language("summary", language): notice.line(language) for language in LANGUAGES}
    return {
        "status": "resolved" if notice.ended else "firing",
        "labels": labels,
        "annotations": texts,
        "startsAt": _time(notice.began),
        "endsAt": _time(notice.ended) if notice.ended else _NEVER,
        "generatorURL": "",
        "fingerprint": hashlib.sha256(json_body.serialise(labels)).hexdigest()[:16],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
