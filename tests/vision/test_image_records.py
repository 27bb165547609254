"""What is kept of images: bounded whatever comes, hits counted once a request, no texts where none are wanted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix import profiles, texts
from hunyuan_fix.upstream.target import Target
from hunyuan_fix.vision.descriptions import Description, ImageFailure, ImageKeys, ImageResult
from hunyuan_fix.vision.image_records import MOST_EXCHANGES, ImageRecords
from hunyuan_fix.vision.record import CallRecord
from hunyuan_fix.vision.vision_call import VisionCall
from hunyuan_fix.wire import proxy_errors
from tests.vision_server import png

TOKENHUB = profiles.load("tokenhub")


def call(number: int, question: str = "what?", **more: Any) -> VisionCall:
    return VisionCall(
        model="hy-vision-2.0-instruct",
        url=png(str(number)),
        question=question,
        profile=TOKENHUB,
        texts=texts.load("en"),
        target=Target("https://tokenhub.tencentmaas.com/v1", {}),
        timeout=1,
        tries=1,
        until=1,
        keys=ImageKeys(b"%d" % number, b"any %d" % number, b"picture %d" % number),
        **more,
    )


def records(most: int = 500, most_bytes: int = 1 << 22, *, with_content: bool = True) -> ImageRecords:
    made = ImageRecords(most, most_bytes, clock=lambda: 1000.0)
    made.configure(is_on=True, with_content=with_content)
    return made


def seen(kept: ImageRecords, number: int, exchange: str, how: str, result: ImageResult | None, **more: Any) -> None:
    one = call(number, **more)
    kept.seen(one, one.url, exchange=exchange, how=how, result=result)


def test_a_call_and_the_requests_that_had_its_image_are_one_record() -> None:
    kept = records()
    made = call(1, record=CallRecord(tries=2, status=200, tokens={"input": 800, "output": 90}, ms=12.0))
    kept.called(made, Description("a cat"))
    seen(kept, 1, "first", "called", Description("a cat"))
    for _ in range(2):  # the same image twice in one request, or a request that is made anew elsewhere
        seen(kept, 1, "second", "known", Description("a cat"))
    (record,) = kept.newest()
    assert (record.calls, record.hits, record.tries, record.ms, record.status) == (1, 1, 2, 12.0, 200)
    assert record.tokens == {"input": 800, "output": 90}
    assert (record.outcome, record.description) == ("described", "a cat")
    assert "what?" in record.prompt
    assert list(record.exchanges) == ["first", "second"]


def test_a_failure_and_an_error_are_kept_until_there_is_a_description() -> None:
    kept = records()
    error = proxy_errors.VISION_RATE_LIMITED(model="m").response()
    kept.called(call(1), error)
    seen(kept, 1, "a", "called", None)
    (record,) = kept.newest()
    assert (record.outcome, record.error) == ("error", error)
    kept.called(call(1), ImageFailure("refused"))
    assert next(kept.newest()).outcome == "refused"
    seen(kept, 1, "b", "shared", Description("a dog"))
    (record,) = kept.newest()
    assert (record.outcome, record.error, record.hits, record.calls) == ("described", None, 1, 2)


def test_nothing_is_kept_until_somebody_may_look_and_nothing_after() -> None:
    kept = ImageRecords()
    seen(kept, 1, "a", "called", Description("a cat"))
    kept.went_unchanged("a", "m", 1)
    assert (len(kept), kept.unchanged.requests) == (0, 0)
    kept.configure(is_on=True, with_content=True)
    seen(kept, 1, "a", "called", Description("a cat"))
    kept.went_unchanged("a", "m", 1)
    kept.configure(is_on=False, with_content=True)
    assert (len(kept), kept.unchanged.requests) == (0, 0)


def test_texts_are_not_kept_where_they_may_not_be_and_go_when_they_may_no_longer() -> None:
    discreet, open_ = records(with_content=False), records()
    for kept in (discreet, open_):
        seen(kept, 1, "a", "called", Description("a secret plan"), question="my private question")
    open_.configure(is_on=True, with_content=False)
    for kept in (discreet, open_):
        said = repr(list(kept.newest()))
        assert "secret" not in said
        assert "private" not in said
        assert len(kept) == 1


def test_images_that_go_unchanged_are_counted_once_for_each_request() -> None:
    kept = records()
    for id, images in (("a", 2), ("a", 2), ("b", 1), ("c", 0)):
        kept.went_unchanged(id, "hy-vision", images)
    told = kept.unchanged
    assert (told.requests, told.images, told.models, list(told.last)) == (2, 3, {"hy-vision": 2}, ["a", "b"])


@given(
    some.lists(
        some.tuples(
            some.integers(0, 12), some.sampled_from("abcdefgh"), some.text(max_size=400), some.text(max_size=90)
        )
    ),
    some.integers(1, 8),
    some.integers(1000, 9000),
)
def test_the_bounds_hold_whatever_comes(came: list[tuple[int, str, str, str]], most: int, most_bytes: int) -> None:
    kept = records(most, most_bytes)
    for number, exchange, description, question in came:
        seen(kept, number, exchange * 30, "called", Description(description), question=question)
        assert 1 <= len(kept) <= most
        size = sum(len(one.description) + len(one.prompt) + len(one.question) for one in kept.newest())
        assert size <= most_bytes or len(kept) == 1
        assert next(kept.newest()).keys == call(number).keys, "the latest is never the one that goes"
        kept.forget(b"no such key")
    for record in list(kept.newest()):
        kept.forget(record.keys.result)
    assert (len(kept), kept.size) == (0, 0)


@pytest.mark.parametrize("count", [MOST_EXCHANGES, 3 * MOST_EXCHANGES])
def test_of_many_requests_the_latest_are_listed(count: int) -> None:
    kept = records()
    for number in range(count):
        seen(kept, 1, str(number), "known", Description("a cat"))
    (record,) = kept.newest()
    assert list(record.exchanges) == [str(number) for number in range(count)][-MOST_EXCHANGES:]
    assert record.hits == count
