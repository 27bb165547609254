"""The cascade as a step: images become text before a model that can't see them."""

from __future__ import annotations

import time

from .. import events, profiles, texts
from ..cascade import Cascade, CascadeSettings
from ..config.option import OptionError, part
from ..exchange import DESCRIBED, Exchange, Response
from ..images import in_body
from ..options import Settings
from ..route import Routes
from ..texts.marks import tracked
from ..texts.terminal import say
from ..vision import record
from ..vision.vision_call import DryRunVision
from .base import Step, StepRuntime
from .target import target_elsewhere, target_of

_BYTES_PASSED = 4
"""Bytes of text that are searched in the time that the work on one takes."""


class DescribeImages(Step):
    """Under `hunyuan_mode=observe` it finds what would be asked and makes no vision call."""

    name = "cascade"

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        super().__init__(settings, runtime)
        self._dry_run = Cascade(DryRunVision())
        self._dry_run.configure(part(settings, CascadeSettings))
        upstream = settings.vision_upstream
        self._upstream = None if upstream is None else Routes(settings).endpoint(upstream)

    async def request(self, exchange: Exchange) -> Response | None:
        """Put descriptions in the images' places. From the first image on, the original body must not go on."""
        running = self._dry_run if exchange.mode == "observe" else self.runtime.cascade
        profile = profiles.load(exchange.profile)
        exchange.may_hold_images = await self.runtime.workers.run(
            lambda _: in_body.suspected(exchange.chat), exchange.size // _BYTES_PASSED
        )
        needed = exchange.may_hold_images and running.needed(exchange.chat, profile)
        images = self.runtime.cascade.images
        if exchange.may_hold_images and not needed and images.is_on:
            images.went_unchanged(exchange.id, exchange.model, in_body.pictures(exchange.chat))
        there = None
        if needed and self._upstream is not None:  # without a key for it images are described as without the option
            there = target_elsewhere(exchange, self._upstream, self.settings, self.runtime.call_keys)
        asked = profile if there is None else profiles.load(there.profile)
        elsewhere = there is not None
        wanted = needed and running.wanted(exchange.chat, profile, asked, elsewhere=elsewhere)
        found = await running.find(exchange.chat, exchange.size) if wanted else []
        if not found:
            return None
        exchange.fails_closed = True
        target = there or target_of(exchange, profile, self.settings)
        exchange.doing, exchange.since = DESCRIBED, time.time()
        with exchange.calling():
            language = texts.language_of(self.settings.language)
            described = await running.describe(
                exchange.chat, found, asked, target, tracked(texts.load(language)), elsewhere=elsewhere
            )
        exchange.doing = ""
        exchange.note(described.changes)
        exchange.vision_calls, exchange.cached = described.calls, described.cached
        exchange.notes[record.NAME] = described.note
        if exchange.mode != "observe":
            exchange.tell(
                events.DESCRIBED,
                calls=described.calls,
                cached=described.cached,
                results=described.results,
                **record.calls_made(described.note),
            )
        return described.refusal


def check(settings: Settings) -> None:
    """Raise `OptionError` where no model is known for the endpoint of `hunyuan_vision_upstream`."""
    upstream = settings.vision_upstream
    if upstream is None or settings.vision_model:
        return
    if not profiles.load(Routes(settings).endpoint(upstream).profile).vision_model:
        needed = say("no vision model is known for this endpoint: name one with hunyuan_vision_model")
        raise OptionError(f"hunyuan_vision_upstream={upstream}: {needed}")
