"""Which alerts are watched, and from which threshold on: the option `hunyuan_alerts`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ...config import values as read
from ...config.option import option
from ...did_you_mean import suggestion
from ...texts.terminal import say
from .alert import Alert, Limits
from .alert import known as all_known

_OFF, _ON = "off", "on"


@read.accepting("`on`, `off`, `NAME`, `NAME=off` and `NAME=THRESHOLD`, comma separated, read from the left")
def limits(text: str) -> Mapping[str, Limits]:
    """The alerts to be watched, by name, from text such as `error_rate=0.2,queue=off`, or `off,error_rate`.

    It is read from the left, beginning with all alerts: `off` switches all off, `on` all on. A threshold that is given
    moves the value at which the alert ends in proportion. Raises `ValueError`.
    """
    known = {name: alert for name, alert in all_known().items() if alert.in_process}
    every = {name: alert.limits for name, alert in known.items()}
    watched = dict(every)
    for item in read.items(text):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals and name in (_OFF, _ON):
            watched = dict(every) if name == _ON else {}
        elif name not in known:
            unknown = say("there is no alert {name}", name=name)
            raise ValueError(unknown + (suggestion(name, [*known, _OFF, _ON]) or _all_of(known)))
        elif value == _OFF:
            watched.pop(name, None)
        elif not equals or value == _ON:
            watched[name] = known[name].limits
        else:
            watched[name] = known[name].with_threshold(_threshold(known[name], value))
    return MappingProxyType(watched)


def _all_of(known: Mapping[str, Alert]) -> str:
    return say("; there are {names}", names=", ".join(known))


def _threshold(alert: Alert, text: str) -> float:
    try:
        threshold = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text.removesuffix("s"))
    except ValueError:
        threshold = math.nan
    if alert.unit == "share":
        if not 0 < threshold < 1:
            raise ValueError(say("{name} takes a share between 0 and 1, such as 0.2 or 20%", name=alert.name))
    elif text.endswith("%") or not 0 <= threshold < math.inf:
        raise ValueError(say("{name} takes a number from 0 up", name=alert.name))
    return threshold


@dataclass(frozen=True)
class AlertSettings:
    """What is watched, and who is told."""

    alerts: Mapping[str, Limits] = option(
        "on",
        "Alerts that the proxy itself watches for; docs/operations.md lists them. off: none; error_rate=0.2,queue=off: "
        "another threshold, one less; off,quota: this one alone.",
        limits,
    )
    alert_webhook_file: Path | None = option(
        "",
        "File with the URL that is told of alerts, in place of HUNYUAN_ALERT_WEBHOOK; readable by its owner only.",
        read.optional(read.path),
    )
