"""A mitmproxy script, to be loaded after the addon: alerts are looked at ten times a second, and not every 15 s."""

from hunyuan_fix.observe.alerts import watch

watch.INTERVAL = 0.1  # type: ignore[assignment,attr-defined]
