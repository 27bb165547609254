from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options, profiles
from hunyuan_fix.config.option import Option, OptionError
from hunyuan_fix.config.values import BaseUrl, StorePlaces, data_folder
from hunyuan_fix.options import OPTIONS, Settings
from tests.looped import each

BY_NAME = {option.name: option for option in OPTIONS}


def setting(name: str, value: object) -> object:
    return getattr(options.parse({f"hunyuan_{name}": value}), name)


def test_the_defaults_are_those_of_the_issue():
    settings = options.parse({})
    assert settings.max_body == 64 * 2**20
    assert settings.image_max_bytes == 10 * 2**20
    assert (settings.vision_concurrency, settings.vision_timeout, settings.cascade_deadline) == (3, 60.0, 90.0)
    assert (settings.cascade, settings.language, settings.overlong) == ("auto", None, "auto")
    decided_by_the_profile = (settings.profile, settings.upstream, settings.max_messages, settings.vision_model)
    assert decided_by_the_profile == (None, None, None, None)
    assert not (settings.intercept_all or settings.allow_open or settings.hosts or settings.keep_params)


def test_the_table_and_the_settings_have_the_same_names():
    assert {option.field for option in OPTIONS} == {field.name for field in dataclasses.fields(Settings)}


def test_own_calls_are_tried_once_where_nothing_is_tried_again():
    assert options.parse({"hunyuan_vision_tries": "5"}).own_tries == 5
    assert options.parse({"hunyuan_vision_tries": "5", "hunyuan_retry": "all"}).own_tries == 5
    assert options.parse({"hunyuan_vision_tries": "5", "hunyuan_retry": "off"}).own_tries == 1


@each("option", OPTIONS, ids=lambda option: option.name)
def test_mitmproxy_is_told_of_text_and_switches_only(option: Option):
    assert option.type in (str, bool)
    assert option.name.startswith("hunyuan_")
    assert option.help.endswith(".")
    named = option.name.removesuffix("_key_file").removesuffix("_keys_file")
    assert "key" not in named, "a key is never an option; the path of its file may be"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_body", "10m", 10 * 2**20),
        ("max_body", "512K", 512 * 2**10),
        ("max_body", "1gb", 2**30),
        ("max_body", "1048576", 2**20),
        ("vision_timeout", "1.5", 1.5),
        ("vision_timeout", " 20s ", 20.0),
        ("max_messages", "30", 30),
        ("profile", "tokenhub", "tokenhub"),
        ("vision_model", "hy-vision-2.0-instruct", "hy-vision-2.0-instruct"),
        ("keep_params", " seed, user ,", frozenset({"seed", "user"})),
        ("successors", "a=b, c = d", {"a": "b", "c": "d"}),
        (
            "hosts",
            "Proxy.Local., 127.0.0.1=tokenhub, [::1]",
            {"proxy.local": None, "127.0.0.1": "tokenhub", "::1": None},
        ),
        ("upstream", "https://tokenhub.tencentmaas.com/v1/", BaseUrl("https", "tokenhub.tencentmaas.com", 443, "/v1")),
        ("upstream", "http://127.0.0.1:9000/v1", BaseUrl("http", "127.0.0.1", 9000, "/v1")),
        ("upstream", "http://[::1]:9000", BaseUrl("http", "::1", 9000, "")),
        ("outgoing_proxy", "http://user:secret@corp:3128", "http://user:secret@corp:3128"),
        ("intercept_all", True, True),
        ("store", "memory", StorePlaces()),
        ("store", "sqlite:/tmp/x.db", StorePlaces(sqlite=Path("/tmp/x.db"))),
        ("store", "redis://me@cache:6379/1", StorePlaces(redis="redis://me@cache:6379/1")),
        (
            "store",
            "sqlite:/tmp/x.db, rediss://cache",
            StorePlaces(sqlite=Path("/tmp/x.db"), redis="rediss://cache"),
        ),
        ("concurrency", "0", 0),
        ("concurrency", "", None),
        ("allowed_origins", "http://Localhost:3000", frozenset({"http://localhost:3000"})),
        ("config", "~/hunyuan.yaml", (Path("~/hunyuan.yaml").expanduser(),)),
        ("config", "/a.yaml, /b,,c.json,", (Path("/a.yaml"), Path("/b,c.json"))),
    ],
)
def test_values_are_read(name: str, text: object, value: object):
    assert setting(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "accepted"),
    [
        ("max_body", "plenty", "10m"),
        ("max_body", "0", "above 0"),
        ("max_body", "-1m", "10m"),
        ("vision_timeout", "soon", "60"),
        ("vision_timeout", "nan", "60"),
        ("vision_timeout", "inf", "60"),
        ("vision_timeout", "0", "60"),
        ("vision_concurrency", "0", "from 1"),
        ("vision_concurrency", "1.5", "whole number"),
        ("max_messages", "2", "from 4"),
        ("cascade", "sometimes", "auto, always, never"),
        ("language", "fr", "zh, en"),
        ("overlong", "cut", "auto, warn, error"),
        ("window", "0", "from 1"),
        ("profile", "open-ai", ", ".join(profiles.names())),
        ("hosts", "localhost=open-ai", ", ".join(profiles.names())),
        ("hosts", "https://localhost", "without a port"),
        ("hosts", "localhost:9000", "without a port"),
        ("successors", "a", "old=new"),
        ("vision_model", "a b", "model id"),
        ("upstream", "tokenhub.tencentmaas.com/v1", "https://"),
        ("upstream", "ftp://host/v1", "https://"),
        ("upstream", "http://host:0/v1", "https://"),
        ("upstream", "http://host:99999/v1", "https://"),
        ("upstream", "http://host/v1/chat/completions", "without the path"),
        ("upstream", "http://host/v1?key=1", "without user name"),
        ("outgoing_proxy", "corp:3128", "http://127.0.0.1:3128"),
        ("outgoing_proxy", "socks5://corp:3128", "http://127.0.0.1:3128"),
        ("intercept_all", "yes", "true and false"),
        ("store", "", "memory"),
        ("store", "memory,sqlite", "memory"),
        ("store", "memory:x", "memory"),
        ("store", "sqlite,sqlite:/tmp/x.db", "sqlite:PATH"),
        ("store", "mysql://cache", "redis://"),
        ("store", "redis://", "redis://127.0.0.1"),
        ("store", "redis://cache:0", "redis://127.0.0.1"),
        ("allowed_origins", "localhost", "http://localhost:3000"),
        ("allowed_origins", "http://localhost/page", "http://localhost:3000"),
        ("config", "~nobody-of-that-name/x", "path"),
    ],
)
def test_an_error_says_option_value_and_what_is_accepted(name: str, text: str, accepted: str):
    with pytest.raises(OptionError) as error:
        setting(name, text)
    assert f"hunyuan_{name}={text}:" in str(error.value)
    assert accepted in str(error.value)
    assert "\n" not in str(error.value)


def test_an_error_shows_no_password():
    with pytest.raises(OptionError) as error:
        setting("upstream", "https://me:secret@host/v1")
    assert "secret" not in str(error.value)


def test_the_default_store_is_in_the_users_data_folder():
    assert options.parse({}).store == StorePlaces(sqlite=data_folder() / "store.sqlite3")


def test_a_password_for_redis_belongs_into_the_environment():
    with pytest.raises(OptionError, match="HUNYUAN_REDIS_PASSWORD") as error:
        setting("store", "redis://me:secret@cache:6379")
    assert "secret" not in str(error.value)


@given(name=st.sampled_from([name for name, option in BY_NAME.items() if option.type is str]), text=st.text())
def test_any_text_is_read_or_refused(name: str, text: str):
    try:
        settings = options.parse({name: text})
    except OptionError as error:
        assert str(error).startswith(f"{name}:" if BY_NAME[name].is_table else f"{name}=")
    else:
        assert isinstance(settings, Settings)


@pytest.mark.parametrize("url", ["https://host/v1", "http://127.0.0.1:9000/v1", "http://[::1]:9000", "https://host:80"])
def test_a_base_url_reads_as_it_was_written(url: str):
    assert str(setting("upstream", url)) == url
