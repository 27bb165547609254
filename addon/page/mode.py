"""The mode, switched in the page: what is done to bodies from the next request on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypedDict

from ..config.hot_change import HotChange
from ..config.option import OptionError
from ..config.sources import Kind
from ..exchange import Response
from ..observe.admin.page_routes import PEER
from ..observe.admin.route import json_answer
from ..texts.terminal import say
from ..wire import proxy_errors, safe_text
from ..wire.openai_error import ProxyError
from .sources import Sources

logger = logging.getLogger("hunyuan_fix")

OPTION = "hunyuan_mode"


class ModeNow(TypedDict):
    """The mode, and what counts again once the proxy starts anew, or one of its files of options changes."""

    mode: str
    source_now: Kind
    """`running`: it was switched while the proxy runs."""
    given: str
    source: Kind
    """What gives `given`."""
    where: str
    """The place of that: a variable, a file with its line."""


def now(config: HotChange) -> ModeNow:
    """The mode as it is."""
    given, in_force = config.given(OPTION), config.in_force(OPTION)
    return {
        "mode": str(in_force.value),
        "source_now": in_force.kind,
        "given": str(given.value),
        "source": given.kind,
        "where": given.where,
    }


def answer(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """The mode as it is: what a worker that starts asks another one."""
    return proxy_errors.ADMIN_NO_SUCH_PATH() if sources.running is None else json_answer(now(sources.running.config))


def switch(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """Switch the mode of this process. The log says from where; requests under way keep theirs."""
    if sources.running is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()
    config, wanted = sources.running.config, str(values["mode"])
    before = str(config.in_force(OPTION).value)
    try:
        config.change(OPTION, wanted)
    except OptionError as error:
        # Every mode is a valid value: another add-on of mitmproxy's must have refused it.
        return proxy_errors.ADMIN_BAD_REQUEST(field="mode", why=str(error), param="mode")
    if wanted != before:
        said = say(
            "The page has switched {option} from {before} to {now}, asked from {peer}.",
            option=OPTION,
            before=before,
            now=wanted,
            peer=safe_text.plain(str(values[PEER])),
        )
        logger.warning("%s", said)
    return json_answer(now(config))
