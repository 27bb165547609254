"""An alert: many requests end with a 4xx. A client is set up wrongly, or a key has run out.

    hunyuan-fix run --set hunyuan_plugins=examples/refused_alert.py

It is watched by the proxy as its own alerts are: `hunyuan_alerts=refused=0.5` gives it another threshold,
`hunyuan_alerts=refused=off` switches it off, and the webhook is told of it.
"""

from __future__ import annotations

from hunyuan_fix.plugins import Plugin

PLUGIN = Plugin(
    "refused-alert",
    alerts={
        "refused": {
            "severity": "warning",
            "kind": "share",
            "part": "hunyuan_exchanges_total{status=4xx}",
            "of": "hunyuan_exchanges_total{status=2xx|3xx|4xx|5xx}",
            "minutes": 10,
            "threshold": 0.3,
            "ends": 0.2,
            "least": 20,
            "for": 60,
            "unit": "share",
            "summary": "{value} of the requests of the last {minutes} minutes were refused (limit: {threshold}).",
            "action": "See in hunyuan_errors_total which codes they have.",
        }
    },
    about="Tells of many refused requests.",
)
