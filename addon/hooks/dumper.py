"""mitmdump's own output of flows."""

from __future__ import annotations

from mitmproxy.options import Options


def quieten(options: Options, ours: str, *, everything: bool, only_lines: bool = False) -> None:
    """Hide flows from mitmdump's output, because the addon logs its own line for each exchange.

    With a `flow_detail` set by the user, flows that match `ours` (a filter) are shown. A filter set by the user stays.
    `everything`: mitmdump shows all flows as usual. `only_lines`: it shows none, since what it prints is no JSON.
    """
    if "dumper_filter" not in options:
        return
    if only_lines:
        options.flow_detail = 0
        return
    if options.dumper_filter not in (None, ours):
        return
    usual = options.default("flow_detail")
    if everything and options.dumper_filter == ours:
        options.dumper_filter, options.flow_detail = None, options.flow_detail or usual
    elif not everything and options.flow_detail:  # without details nothing is shown
        options.dumper_filter = ours
        if options.flow_detail == usual:
            options.flow_detail = 0
