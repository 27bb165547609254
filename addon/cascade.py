"""The cascade: images become text by a vision model, so that a text model with tools can go on.

Every image is found, looked up, described where it isn't known yet, and replaced where it stands.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from .config import values as read
from .config.option import option
from .config.values import BaseUrl
from .exchange import Change, JsonObject, Response
from .images import data, in_body
from .images.data import BadImage
from .images.in_body import Image
from .profiles import Profile
from .route import endpoint_url
from .texts import Texts, marks
from .upstream.retry import RetrySettings, allowed
from .upstream.target import Target
from .vision import descriptions
from .vision.descriptions import Description, Descriptions, ImageFailure, ImageKeys, ImageResult
from .vision.image_records import MOST_OF_ONE, ImageRecord, ImageRecords
from .vision.record import CallRecord, Records
from .vision.single_flight import CallGone, SingleFlight
from .vision.vision_call import VisionCall, VisionModel, prompt
from .wire import json_body, proxy_errors
from .workers import Workers

_EACH = 100
"""The cost of one image beside its data, in bytes: a hash, a look into memory, a text."""


@dataclass(frozen=True)
class CascadeSettings(RetrySettings):
    """The user's options for the cascade. Seconds and bytes; no model named means the profile's."""

    cascade: Literal["auto", "always", "never"] = option(
        "auto",
        "Images become text by a vision model: auto (where the model can't see, or takes no tools and is offered "
        "some), always, never.",
        read.choice("auto", "always", "never"),
    )
    vision_model: str | None = option(
        "", "Model that describes images. Default: the profile's.", read.optional(read.name)
    )
    vision_upstream: BaseUrl | None = option(
        "",
        "Base URL where images are described, in place of the request's own endpoint: with that provider's key "
        "(hunyuan_keys_file) and hunyuan_vision_model there. E.g. https://api.moonshot.cn/v1.",
        read.optional(endpoint_url),
    )
    text_model: str | None = option(
        "",
        "Model that replaces a vision model that takes no tools and is offered some. Default: the profile's.",
        read.optional(read.name),
    )
    vision_concurrency: int = option("3", "Images of one request that are described at once.", read.count(1))
    vision_timeout: float = option("60", "Seconds that one vision call may take.", read.seconds)
    """For one try."""
    vision_tries: int = option("3", "Tries for a vision call whose failure may pass.", read.count(1))
    cascade_deadline: float = option(
        "90",
        "Seconds in which all vision calls of one request must end; clients drop a silent upstream after 120.",
        read.seconds,
    )
    image_max_bytes: int = option("10m", "Size of an image beyond which it is not described.", read.size)
    """Decoded size of one image."""
    image_max_count: int = option(
        "20",
        "Images of one request that may need a vision call, newest first; the rest get a note.",
        read.count(1),
    )
    cache_entries: int = option("1000", "Image descriptions kept in memory.", read.count(1))
    cache_bytes: int = option("16m", "Memory for image descriptions.", read.size)
    cache_ttl: float = option(
        "3600",
        "Seconds that the description of an image given by http URL, or a failure for good, is kept.",
        read.seconds,
    )
    """An image named by a URL may come to show something else."""

    @property
    def own_tries(self) -> int:
        """Tries for a call of the addon's own."""
        return 1 if self.retry == "off" else self.vision_tries

    def named_model(self, *, elsewhere: bool) -> str | None:
        """The model that the user has named for an endpoint: for that of `vision_upstream`, if there is one."""
        return self.vision_model if elsewhere or self.vision_upstream is None else None

    def describes_on_plans(self, *, elsewhere: bool) -> bool:
        """Whether the user wants vision calls on the host of a plan, too (docs/facts/tokenhub.md#plans)."""
        return self.cascade == "always" or self.named_model(elsewhere=elsewhere) is not None


@dataclass
class CascadeOutcome:
    """What the cascade did to a request.

    `calls` counts the images for which a call was made on this request's account, `cached` the others. With a `refusal`
    the body is unchanged; the refusal is the client's answer, and nothing may be forwarded.
    """

    changes: list[Change]
    calls: int
    cached: int
    refusal: Response | None
    note: JsonObject = field(default_factory=dict)
    """What a person can see of the calls (`vision.record`)."""
    results: dict[str, int] = field(default_factory=dict)
    """How many images were described, were known … (`vision.record.Records.results`)."""


class Ahead(NamedTuple):
    """What became of an image that was to be described ahead. `why`: for `failed`."""

    how: Literal["known", "described", "unasked", "failed"]
    why: ImageFailure | Response | None = None


class Cascade:
    """Describes the images of requests with `vision`. There is one for the whole proxy, with the calls under way.

    `known`: the kept image results; by default in memory, within the bounds of the settings. `images`: is told of each
    image, for people who look.

    A description is served to every client that sends the same image with the same text, whichever client paid for it:
    it says nothing that those bytes don't. Calls under way are shared only between requests with the same base URL and
    key, so that one client's bad key fails no other client's request.
    """

    def __init__(
        self,
        vision: VisionModel,
        clock: Callable[[], float] = time.monotonic,
        known: Descriptions | None = None,
        workers: Workers | None = None,
        images: ImageRecords | None = None,
    ) -> None:
        self._workers = workers or Workers()
        self.images = images or ImageRecords()
        self._vision = vision
        self._clock = clock
        self._settings = CascadeSettings()
        self.known = known or descriptions.in_memory(self._settings.cache_entries, self._settings.cache_bytes, clock)
        self._flights: SingleFlight[tuple[bytes, bytes], ImageResult | Response] = SingleFlight()

    def configure(self, settings: CascadeSettings) -> None:
        """Use `settings` from the next request on. Kept results stay, as far as the new bounds allow."""
        self._settings = settings
        self.known.resize(settings.cache_entries, settings.cache_bytes)

    def needed(self, body: JsonObject, profile: Profile) -> bool:
        """Whether images in `body`, if it holds any (`in_body.suspected`), must become text.

        Under `auto` they must where the model can't see. A vision model that takes no tools and is offered some has
        been replaced by a text model before this (`rules.tool_model`); any other gets its images unchanged.
        """
        mode = self._settings.cascade
        return mode == "always" or (mode == "auto" and not profile.model(body.get("model")).images)

    def model_at(self, profile: Profile, *, elsewhere: bool) -> str:
        """The model that describes images at an endpoint of `profile`; `""`: none is known.

        `elsewhere`: it is that of `hunyuan_vision_upstream`.
        """
        return self._settings.named_model(elsewhere=elsewhere) or profile.vision_model

    def wanted(
        self, body: JsonObject, profile: Profile, asked: Profile | None = None, *, elsewhere: bool = False
    ) -> bool:
        """Whether images in `body` must become text, and can: by a model of the endpoint that is `asked`.

        `None`: its own endpoint is. Otherwise as in `describe`.
        """
        model = self.model_at(asked or profile, elsewhere=elsewhere)
        return self.needed(body, profile) and (self._settings.cascade == "always" or bool(model))

    async def find(self, body: JsonObject, size: int) -> list[Image]:
        """Every image of `body`, whose JSON has `size` bytes."""
        return await self._apart(size, lambda: in_body.find(body))

    async def describe(
        self,
        body: JsonObject,
        found: Sequence[Image],
        profile: Profile,
        target: Target,
        texts: Texts,
        *,
        elsewhere: bool = False,
    ) -> CascadeOutcome:
        """Put a description, or a note that says why there is none, in the place of every image `found` in `body`.

        `profile` and `target`: those of the endpoint that describes them, which is that of `hunyuan_vision_upstream` if
        it is `elsewhere`. A plan's is not asked unless the user wants that: images that aren't known yet get a note.
        Ends within `cascade_deadline`; descriptions that came in until then are kept, so that the client's next
        try goes on from there. Cancelling this coroutine ends the calls that no other request waits for.
        """
        settings = self._settings
        template = VisionCall(
            model=self.model_at(profile, elsewhere=elsewhere),
            url="",
            question="",
            profile=profile,
            texts=texts,
            target=target,
            elsewhere=elsewhere,
            timeout=settings.vision_timeout,
            tries=allowed(settings.own_tries, profile),
            until=self._clock() + settings.cascade_deadline,
        )
        began = self._clock()
        # 1. Look every image up.
        size = sum(len(image.source) + _EACH for image in found)
        looked = await self._apart(size, lambda: _keys(_asked_about(found), template.model, texts))
        keys = [one.result for one in looked]
        results = await self.known.kept.get_many(keys)
        ahead = {one.result: one.of_any_question for one in looked if one.result not in results}
        general = await self.known.kept.get_many(ahead.values())
        results.update({key: general[of_any] for key, of_any in ahead.items() if of_any in general})
        outcome = CascadeOutcome([], calls=0, cached=len(results), refusal=None)
        # 2. Describe those that are missing, the newest first: the question is most likely about them.
        newest_first = zip(reversed(looked), reversed(found), strict=True)
        missing = {one: image for one, image in newest_first if one.result not in results}
        if profile.plan and not settings.describes_on_plans(elsewhere=elsewhere):
            results.update(dict.fromkeys((one.result for one in missing), ImageFailure("plan")))
            missing = {}
        needed, undescribable = await self._apart(size, lambda: _split_by_need(missing, template, settings))
        results.update(undescribable)
        asked: dict[bytes, _Asked] = {}
        outcome.refusal = await self._ask(needed, results, outcome, asked)
        records = Records(template.model, template.target.headers)
        told = _note(found, keys, results, asked, records)
        if self.images.is_on:
            exchange = target.exchange.id if target.exchange is not None else ""
            for one, image, how in list(zip(looked, found, told, strict=True))[-MOST_OF_ONE:]:
                about = replace(template, question=image.question, keys=one)
                result = results.get(one.result)
                self.images.seen(about, image.source, exchange=exchange, how=how, result=result)
        outcome.note = records.to_plain(1000 * (self._clock() - began))
        outcome.results = dict(records.results)
        # 3. Replace all of them, or none.
        if outcome.refusal is None:
            in_order = [results[key] for key in keys]
            outcome.changes = await self._apart(
                _EACH * len(found), lambda: _replace_images(body, found, in_order, template.model, texts)
            )
        return outcome

    async def describe_ahead(
        self,
        source: str,
        profile: Profile,
        target: Target,
        texts: Texts,
        *,
        ask: bool = True,
        elsewhere: bool = False,
    ) -> Ahead:
        """Describe the image `source` before anybody asks about it, and keep that for every question.

        It is for pictures that many requests will hold. One that is known costs nothing; without `ask`, neither does
        another. A request with a question of its own finds this description where it has none for that question.
        """
        settings = self._settings
        model = self.model_at(profile, elsewhere=elsewhere)
        found = await self._apart(len(source) + _EACH, lambda: _keys([(source, "")], model, texts))
        key = found[0].of_any_question
        if await self.known.kept.get(key) is not None:
            return Ahead("known")
        try:
            url = await self._apart(len(source), lambda: data.sendable_url(source, settings.image_max_bytes))
        except BadImage as bad:
            return Ahead("failed", ImageFailure(bad.reason))
        if not ask:
            return Ahead("unasked")
        call = VisionCall(
            model=model,
            url=url,
            question="",
            profile=profile,
            texts=texts,
            target=target,
            elsewhere=elsewhere,
            timeout=settings.vision_timeout,
            tries=allowed(settings.own_tries, profile),
            until=self._clock() + settings.cascade_deadline,
        )
        result = await self._vision.ask(call)
        if not isinstance(result, Description):
            return Ahead("failed", result)
        self.known.kept.put(key, result)
        return Ahead("described")

    def forget(self, keys: ImageKeys) -> None:
        """Forget the result for an image in this process and all stores, and what is told of it."""
        self._forget_result(keys)
        self.images.forget(keys.result)

    def _forget_result(self, keys: ImageKeys) -> None:
        self.known.kept.delete(keys.result)
        self.known.kept.delete(keys.of_any_question)

    async def describe_again(
        self, record: ImageRecord, source: str, profile: Profile, target: Target, texts: Texts
    ) -> ImageResult | Response:
        """Ask the model of `record` anew about its image, `source`, and keep what it says in all stores.

        What was kept is forgotten first: somebody wants another description. Otherwise as in `describe`.
        """
        settings = self._settings
        try:
            url = await self._apart(len(source), lambda: data.sendable_url(source, settings.image_max_bytes))
        except BadImage as bad:
            return ImageFailure(bad.reason)
        call = VisionCall(
            model=record.model,
            url=url,
            question=record.question,
            profile=profile,
            texts=texts,
            target=target,
            elsewhere=record.elsewhere,
            timeout=settings.vision_timeout,
            tries=allowed(settings.own_tries, profile),
            until=self._clock() + settings.cascade_deadline,
            keys=record.keys,
        )
        self._forget_result(record.keys)
        key = record.keys.result
        try:
            return await self._flights.join((key, _payer(target)), lambda: self._call(key, call))
        except CallGone:
            return _late()

    async def _apart[T](self, size: int, work: Callable[[], T]) -> T:
        """The result of `work`, which runs in a thread unless its `size` in bytes is small."""
        return await self._workers.run(lambda _: work(), size)

    async def _ask(
        self,
        needed: Mapping[bytes, VisionCall],
        results: dict[bytes, ImageResult],
        outcome: CascadeOutcome,
        asked: dict[bytes, _Asked],
    ) -> Response | None:
        """Make the calls in `needed`, in order, `vision_concurrency` at a time.

        Fills `results` and `asked`, counts in `outcome`.

        After a failure that may pass no further call is begun, but those under way end and are kept, so that the
        client's next try costs less and gets further. A final failure ends the others at once.
        """
        concurrency = self._settings.vision_concurrency
        waiting = iter(needed.items())
        running: dict[asyncio.Task[ImageResult | Response], bytes] = {}
        failed: Response | None = None
        until = math.inf
        try:
            while True:
                while failed is None and len(running) < concurrency and (item := next(waiting, None)):
                    key, call = item
                    until = call.until
                    asked[key] = _Asked(call)
                    running[asyncio.create_task(self._result(key, asked[key], outcome))] = key
                if not running:
                    return failed
                left = until - self._clock()
                done, _ = await asyncio.wait(running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    return failed or _late()
                for task in done:
                    key, result = running.pop(task), task.result()
                    asked[key].outcome = _outcome(result)
                    if not isinstance(result, Response):
                        results[key] = result
                    elif _may_pass(result):
                        failed = failed or result
                    else:
                        return result
        finally:
            for task in running:
                task.cancel()

    async def _result(self, key: bytes, asked: _Asked, outcome: CascadeOutcome) -> ImageResult | Response:
        """The result of another request's call, finished or under way, else of a call of this request's own."""
        if known := self.known.kept.at_hand(key):
            outcome.cached += 1
            return known
        call = asked.call
        shared = (key, _payer(call.target))
        if self._flights.flying(shared):
            outcome.cached += 1
            asked.how = "shared"
        else:
            outcome.calls += 1
            asked.how = "called"
        try:
            return await self._flights.join(shared, lambda: self._call(key, call))
        except CallGone:
            return _late()

    async def _call(self, key: bytes, call: VisionCall) -> ImageResult | Response:
        """Ask the vision model and keep the result, even if no request waits for it any more."""
        began = self._clock()
        try:
            result = await self._vision.ask(call)
        finally:
            call.record.ms = 1000 * (self._clock() - began)
        if not isinstance(result, Response):
            may_change = isinstance(result, ImageFailure) or data.is_remote(call.url)
            self.known.kept.put(key, result, self._settings.cache_ttl if may_change else None)
        self.images.called(call, result)
        return result


def _asked_about(found: Sequence[Image]) -> list[tuple[str, str]]:
    return [(image.source, image.question) for image in found]


def _keys(images: Sequence[tuple[str, str]], model: str, texts: Texts) -> list[ImageKeys]:
    """What the result for each image and its question depends on, as a digest: model, language, prompt, both of them.

    That of a description for any question (`describe_ahead`) is another one: no question makes the same.
    """
    prompt = hashlib.sha256(f"{texts.vision_prompt}\0{texts.vision_no_question}".encode()).hexdigest()
    digests = ((data.digest(source), question) for source, question in images)
    return [
        # the question comes last: it alone may contain the separator
        ImageKeys(
            _digest(model, texts.language, prompt, digest.hex(), question),
            _digest(_ANY_QUESTION, model, texts.language, prompt, digest.hex()),
            digest,
        )
        for digest, question in digests
    ]


_ANY_QUESTION = "\0any question"
"""No model's name begins so."""


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


def _split_by_need(
    missing: Mapping[ImageKeys, Image], template: VisionCall, settings: CascadeSettings
) -> tuple[dict[bytes, VisionCall], dict[bytes, ImageFailure]]:
    """The calls to make, and the failures that are certain without one. Neither kind of failure is worth caching."""

    def sendable(source: str) -> str | ImageFailure:
        try:
            return data.sendable_url(source, settings.image_max_bytes)
        except BadImage as bad:
            return ImageFailure(bad.reason)

    needed: dict[bytes, VisionCall] = {}
    undescribable: dict[bytes, ImageFailure] = {}
    for keys, image in missing.items():
        url = sendable(image.source)
        if isinstance(url, ImageFailure):
            undescribable[keys.result] = url
        elif len(needed) < settings.image_max_count:
            needed[keys.result] = replace(template, url=url, question=image.question, keys=keys, record=CallRecord())
        else:
            undescribable[keys.result] = ImageFailure("too_many")
    return needed, undescribable


def _replace_images(
    body: JsonObject, found: Sequence[Image], results: Sequence[ImageResult], model: str, texts: Texts
) -> list[Change]:
    """Replace each image by its description or by a note. Returns a change for each."""
    changes: list[Change] = []
    written: list[str] = []
    for image, result in zip(found, results, strict=True):
        place = {"number": image.number, "total": image.total}
        if isinstance(result, Description):
            description = marks.defused(result.text)
            written.append(texts.image_description.format(**place, model=model, description=description))
            why = f"image {image.number} of {image.total} replaced by a description from {model}"
        else:
            written.append(texts.image_failed.format(**place, reason=texts.image_reasons[result.reason]))
            why = f"image {image.number} of {image.total} replaced by a note: {result.reason}"
        changes.append(Change("cascade", image.place.pointer, why))
    in_body.put(body, found, written)
    return changes


@dataclass(slots=True)
class _Asked:
    """What became of an image that was not known."""

    call: VisionCall
    how: Literal["called", "shared", "known"] = "known"
    """`known`: another request's call had ended by then."""
    outcome: str = "unfinished"


def _note(
    found: Sequence[Image],
    keys: Sequence[bytes],
    results: Mapping[bytes, ImageResult],
    asked: Mapping[bytes, _Asked],
    records: Records,
) -> list[str]:
    """Tell `records` of each image in its order. The same image twice has one call. Returns `how` of each."""
    waiting = dict(asked)
    told: list[str] = []
    for image, key in zip(found, keys, strict=True):
        at, result, call = image.place.pointer, results.get(key), waiting.pop(key, None)
        if call is not None:
            how: str = call.how
            question = prompt(call.call.texts, call.call.question)
            records.add(at, how, call.outcome, question, call.call.record if how == "called" else None)
        elif result is None:
            how = "unasked"
            records.add(at, how, "none")
        else:
            how = "none" if isinstance(result, ImageFailure) else "known"
            records.add(at, how, _outcome(result))
        told.append(how)
    return told


def _outcome(result: ImageResult | Response) -> str:
    """`described`, the reason of a failure, or the code of an error."""
    match result:
        case Description():
            return "described"
        case ImageFailure(reason):
            return reason
        case Response():
            error = (json_body.parse_object(result.body) or {}).get("error")
            return str(error.get("code") if isinstance(error, dict) else result.status)


def _payer(target: Target) -> bytes:
    """SHA-256 of base URL and headers: identifies the paying account without keeping the key."""
    lines = [target.base_url, *(f"{name}: {value}" for name, value in sorted(target.headers.items()))]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).digest()


def _may_pass(error: Response) -> bool:
    return error.status == 429 or error.status >= 500


def _late() -> Response:
    """The error when time is up. Descriptions that came in until then are kept."""
    return proxy_errors.IMAGES_LATE().response()
