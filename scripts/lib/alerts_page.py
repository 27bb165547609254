"""The alerts on docs/operations.md and its Chinese twin, made from their table: `python -m scripts.lib.alerts_page`.

In the pages they stand between `<!-- alerts -->` and `<!-- end of alerts -->`; all else is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from hunyuan_fix.observe.alerts.alert import Alert, shipped, shown
from hunyuan_fix.texts import sentences

_DOCS = Path(__file__).parents[2] / "docs"
PAGES: Mapping[str, Path] = MappingProxyType({"en": _DOCS / "operations.md", "zh": _DOCS / "operations.zh-CN.md"})
"""By language."""

_ALERTS = re.compile(r"(<!-- alerts -->\n).*?(<!-- end of alerts -->)", re.DOTALL)
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "value": "…",
            "above": "Begins above {threshold}{time}{least}; ends at {ends} or less.",
            "below": "Begins below {threshold}{time}{least}; ends at {ends} or more.",
            "time": " for {seconds:g} s",
            "least": ", from {least:g} in {minutes} minutes on",
            "only": " For Prometheus alone.",
            "nothing": "",
            "name": "`{title}`, {severity}. By {metrics}. {when}{only}",
        },
        "zh": {
            "value": "…",
            "above": "高于 {threshold}{time}{least}时触发，回到 {ends} 及以下时结束。",
            "below": "低于 {threshold}{time}{least}时触发，回到 {ends} 及以上时结束。",
            "time": " 持续 {seconds:g} 秒",
            "least": "、且 {minutes} 分钟内不少于 {least:g} 个",
            "only": "仅用于 Prometheus。",
            "nothing": " ",
            "name": "`{title}`，{severity}。依据 {metrics}。{when}{only}",
        },
    }
)


def filled(page: str, language: str) -> str:
    """`page` with the alerts made anew in `language`."""
    return _ALERTS.sub(lambda found: found[1] + "".join(_alerts(language)) + found[2], page)


def _alerts(language: str) -> Iterator[str]:
    words = _WORDS[language]
    for alert in shipped().values():
        only = "" if alert.in_process else words["only"]
        looked_at = (selection.metric for selection in (*alert.condition.counters, *alert.condition.gauges))
        metrics = ", ".join(f"`{name.removesuffix('_bucket')}`" for name in dict.fromkeys(looked_at))
        name = words["name"].format(
            title=alert.title, severity=alert.severity, metrics=metrics, when=_when(alert, words), only=only
        )
        yield f"\n#### {alert.name}\n\n{name}\n\n"
        yield f"> {alert.said(language, words['value'], alert.limits.threshold)}\n\n"
        yield f"{sentences.said(language, alert.action)}\n"
    yield "\n"


def _when(alert: Alert, words: Mapping[str, str]) -> str:
    limits, minutes = alert.limits, alert.condition.minutes
    return words["below" if alert.below else "above"].format(
        threshold=shown(limits.threshold, alert.unit),
        ends=shown(limits.ends, alert.unit),
        time=words["time"].format(seconds=alert.seconds) if alert.seconds else words["nothing"] * (not alert.least),
        least=words["least"].format(least=alert.least, minutes=minutes) if alert.least else "",
    )


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(filled(path.read_text(encoding="utf-8"), language), encoding="utf-8")
