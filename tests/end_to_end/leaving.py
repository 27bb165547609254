"""A mitmproxy script, to be loaded after the addon: prints what its commands say of all exchanges, at the end."""

import sys

from mitmproxy import ctx


def done() -> None:
    """Before the addon's own: its commands are there."""
    for command in ("hunyuan.stats", "hunyuan.queue", "hunyuan.slow"):
        sys.stdout.write(f"{ctx.master.commands.call(command)}\n")
    sys.stdout.flush()
