"""A mitmproxy script, to be loaded after the addon: says when clients are served, a moment after the ports are open."""

import sys


def running() -> None:
    """The addon has heard of it before."""
    sys.stdout.write("mitmproxy is running\n")
    sys.stdout.flush()
