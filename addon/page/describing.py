"""An image is described once more because somebody asks for it in the page."""

from __future__ import annotations

from .. import profiles, texts
from ..config import values as read
from ..exchange import Exchange, Response
from ..observe import statistics
from ..route import Endpoint
from ..steps.target import target_elsewhere
from ..texts.marks import tracked
from ..vision.descriptions import Description, ImageResult
from ..vision.image_records import ImageRecord
from .sources import Running


def can(record: ImageRecord, running: Running) -> bool:
    """Whether the proxy may make such a call, with a key of its own: that of a client is never kept."""
    there = _endpoint(record, running)
    return there is not None and running.call_keys.has_key(there.base)


async def again(record: ImageRecord, source: str, running: Running) -> ImageResult | Response | None:
    """What the vision model says of the image `source` now; it is kept. `None`: the proxy may not make the call.

    The call is told of as one for the last request that had the image, and of no client: ledger and metrics count it.
    """
    # 1. Whoever may open the page may have the proxy's own keys used.
    exchange = Exchange(
        id=next(reversed(record.exchanges), ""), profile=record.profile, borrows=True, listener=running.sinks.tell
    )
    there = _endpoint(record, running)
    target = target_elsewhere(exchange, there, running.settings(), running.call_keys) if there else None
    if target is None:
        return None
    # 2. Ask, and count as the step `cascade` lets its calls be counted.
    profile, images = profiles.load(target.profile), running.cascade.images
    texts_asked_in = tracked(texts.load(record.language))
    result = await running.cascade.describe_again(record, source, profile, target, texts_asked_in)
    made = images.get(record.keys.result)
    if made is not None and made.calls:
        outcome = statistics.DESCRIBED if isinstance(result, Description) else statistics.FAILED
        running.metrics.add(statistics.IMAGES, 1, outcome)
        running.metrics.observe(statistics.VISION_SECONDS, made.ms / 1000)
        running.metrics.add(statistics.VISION_TRIES, made.tries)
    return result


def _endpoint(record: ImageRecord, running: Running) -> Endpoint | None:
    """Where the call goes; `None` where it may not: a plan's endpoint that its user doesn't want calls to."""
    try:
        profile, base = profiles.load(record.profile), read.base_url(record.base_url)
    except (KeyError, ValueError):  # a profile of the user's own that is gone by now
        return None
    if profile.plan and not running.settings().describes_on_plans(elsewhere=record.elsewhere):
        return None
    return Endpoint(record.profile, base)
