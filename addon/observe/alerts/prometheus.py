"""Rules for Prometheus, made of the same table as the alerts of the process: deploy/prometheus/hunyuan-fix.rules.yml.

    python -m hunyuan_fix.observe.alerts.prometheus > hunyuan-fix.rules.yml

Each alert is told of once for each proxy, by its `job` and `instance`. `hunyuan:alert_value` and
`hunyuan:alert_traffic` are recorded, so that a graph can show them beside the limits.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator

from ...texts import LANGUAGES, sentences
from . import conditions
from .alert import Alert, Unit, shipped
from .conditions import BY

VALUE, TRAFFIC = "hunyuan:alert_value", "hunyuan:alert_traffic"
INTERVAL = 15
"""Seconds between two looks at the rules: as many as between two looks in the process."""
PAGE = "docs/operations.md"
"""In the repository: a heading for each alert."""

_HEAD = """\
# Alerts of hunyuan-fix for Prometheus 2.42 or newer. Made of addon/observe/alerts/alerts.toml by
# `python -m hunyuan_fix.observe.alerts.prometheus`: change a threshold there, or in your copy of this file.
# docs/operations.md says for each alert what to do.
"""
_SHOWN: dict[Unit, str] = {
    "share": "{{ $value | humanizePercentage }}",
    "seconds": "{{ $value | humanizeDuration }}",
    "count": "{{ $value | humanize }}",
}


def rules(alerts: Iterable[Alert]) -> str:
    """The rule file, as YAML."""
    return _HEAD + "\n".join(_file(list(alerts))) + "\n"


def texts(alert: Alert, value: str, threshold: float) -> Iterator[tuple[str, str]]:
    """What is said of an alert, by name, in every language. `value`: as it is to be shown."""
    for language in sorted(LANGUAGES, key=lambda language: language != sentences.SOURCE):
        yield in_language("summary", language), alert.said(language, value, threshold)
        yield in_language("description", language), sentences.said(language, alert.action)


def in_language(name: str, language: str) -> str:
    """The name of an annotation whose text is in `language`."""
    return name if language == sentences.SOURCE else f"{name}_{language}"


def _file(alerts: list[Alert]) -> Iterator[str]:
    yield from ("groups:", "  - name: hunyuan-fix", f"    interval: {INTERVAL}s", "    rules:")
    for minutes in sorted({alert.condition.minutes for alert in alerts if alert.condition.minutes}):
        watched = conditions.promql_watched(minutes)
        yield from _recorded(conditions.WATCHED, watched, "window", f"{minutes}m")
    for alert in alerts:
        traffic = f'{TRAFFIC}{{alert="{alert.name}"}}'
        if query := alert.condition.promql_traffic():
            yield from _recorded(TRAFFIC, query, "alert", alert.name)
        yield from _recorded(VALUE, alert.condition.promql(traffic), "alert", alert.name)
        yield from _alerting(alert, traffic)


def _recorded(name: str, query: str, label: str, value: str) -> Iterator[str]:
    yield f"      - record: {name}"
    yield f"        labels: {{{label}: {value}}}"
    yield from _query(query)


def _alerting(alert: Alert, traffic: str) -> Iterator[str]:
    yield f"      - alert: {alert.title}"
    yield from _query(_condition(alert, traffic))
    if alert.seconds:
        yield f"        for: {alert.seconds:g}s"
    yield f"        labels: {{alert: {alert.name}, severity: {alert.severity}}}"
    yield "        annotations:"
    for name, text in texts(alert, _SHOWN[alert.unit], alert.limits.threshold):
        yield f"          {name}: {json.dumps(text, ensure_ascii=False)}"  # a JSON string is one of YAML
    yield f"          runbook: {PAGE}#{alert.name}"


def _condition(alert: Alert, traffic: str) -> str:
    value, sign, by = f'{VALUE}{{alert="{alert.name}"}}', "<" if alert.below else ">", ", ".join(BY)
    begins = f"{value} {sign} {alert.limits.threshold:g}"
    if alert.least:
        begins += f" and on ({by}) {traffic} >= {alert.least:g}"
    if alert.limits.ends == alert.limits.threshold and not alert.least:
        return begins
    fires = f'ALERTS{{alertname="{alert.title}", alertstate="firing"}}'
    return f"{begins}\nor\n{value} {sign} {alert.limits.ends:g} and on ({by}) {fires}"


def _query(text: str) -> Iterator[str]:
    lines = text.split("\n")
    if len(lines) == 1:
        yield f"        expr: {json.dumps(text) if text[0] in '{[' else text}"
        return
    yield "        expr: |"
    yield from (f"          {line}" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(rules(shipped().values()))
