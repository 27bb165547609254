from __future__ import annotations

import pytest

from hunyuan_fix.config import redis_urls, values
from hunyuan_fix.config.redis_urls import Sentinels

BOTH = (("a", 26379), ("b.lan", 26380))


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://a:6379/0", None),
        ("rediss://a:6379/0", None),
        ("redis+sentinel://a/main", Sentinels((("a", 26379),), "main", 0, None, None)),
        ("redis+sentinel://a,b.lan:26380/main/3", Sentinels(BOTH, "main", 3, None, None)),
        ("redis+sentinel://a, b.lan:26380/main/", Sentinels(BOTH, "main", 0, None, None)),
        ("redis+sentinel://me@[::1]:5/main/3", Sentinels((("::1", 5),), "main", 3, "me", None)),
        (
            "rediss+sentinel://a/main?ssl_ca_certs=/ca.pem",
            Sentinels((("a", 26379),), "main", 0, None, {"ssl_ca_certs": "/ca.pem"}),
        ),
    ],
)
def test_what_a_url_of_sentinels_says(url: str, named: Sentinels | None):
    assert redis_urls.sentinels(url) == named


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://a",
        "redis+sentinel://a/",
        "redis+sentinel:///main",
        "redis+sentinel://a,/main",
        "redis+sentinel://a:0/main",
        "redis+sentinel://a:70000/main",
        "redis+sentinel://a b/main",
        "redis+sentinel://a/main/x",
        "redis+sentinel://a/main/0/1",
        "redis+sentinel://a/main#x",
        "redis+sentinel://:s3cret@a/main",
        "redis+sentinel://a/main?password=s3cret",
        "redis+sentinel://a/main?ssl_ca_certs=/ca.pem",
    ],
)
def test_one_that_says_too_little_or_more(url: str):
    with pytest.raises(ValueError, match=r"accepted is redis.sentinel://HOST:26379,HOST:26379/NAME/DB") as caught:
        redis_urls.sentinels(url)
    assert "s3cret" not in str(caught.value)


def test_commas_within_a_url_of_sentinels_separate_hosts():
    places = values.store("sqlite:/x, redis+sentinel://a:1,b:2/main/0")
    assert places.redis == "redis+sentinel://a:1,b:2/main/0"
    assert str(places.sqlite) == "/x"
    assert values.store("redis+sentinel://a:1,b:2/main/0,sqlite:/x") == places
    assert values.store("redis://a:1/0,sqlite:/x").redis == "redis://a:1/0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redis+cluster://a:1,b:2/0", r"Redis Cluster is not supported.*redis.sentinel://HOST:PORT/NAME/DB"),
        ("rediss+cluster://a:1/0", "Redis Cluster is not supported"),
        ("redis+sentinel://a:1,b:2", "NAME/DB"),
        ("redis+sentinel://u:s3cret@a:1,b:2/main", "a password does not belong here"),
        ("redis+other://a", "accepted are memory, sqlite"),
        ("redis://a/0,redis+sentinel://b/main", "accepted are memory, sqlite"),
    ],
)
def test_what_the_option_refuses(text: str, said: str):
    with pytest.raises(ValueError, match=said) as caught:
        values.store(text)
    assert "s3cret" not in str(caught.value)
