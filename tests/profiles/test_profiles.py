from __future__ import annotations

from collections.abc import Callable

import pytest

from hunyuan_fix import dialects, options, profiles
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.route import Address, Route, Routes
from hunyuan_fix.upstream import signing
from tests.providers import toml

type Add = Callable[[str, str], None]
HOST = "llm.example"


def routed(path: str, host: str = HOST, **given: object) -> Route | None:
    settings = options.parse({f"hunyuan_{name}": value for name, value in given.items()})
    return Routes(settings).route("POST", Address("https", host, 443, path))


def test_the_files_are_the_profiles(add_provider: Add):
    ours = profiles.names()
    assert {"hunyuan", "tokenhub"} <= set(ours)
    add_provider("toy", toml(HOST))
    assert set(profiles.names()) == {*ours, "toy"}
    assert profiles.load("toy").hosts == (HOST,)


@pytest.mark.parametrize("name", ["other", "", "../hunyuan", "hunyuan.toml", "__init__"])
def test_there_is_no_other(name: str):
    with pytest.raises(KeyError):
        profiles.load(name)


@pytest.mark.parametrize("name", profiles.names())
def test_what_a_profile_names_exists(name: str):
    profile = profiles.load(name)
    assert profile.dialect in dialects.UPSTREAM_DIALECTS
    assert profile.signer in signing.SIGNERS


def test_a_file_may_take_the_place_of_ours(add_provider: Add):
    ours = profiles.names()
    add_provider("hunyuan", toml(HOST))
    assert profiles.names() == ours
    assert profiles.at(HOST) == "hunyuan"
    assert profiles.at("api.hunyuan.cloud.tencent.com") is None


@pytest.fixture
def plans(add_provider: Add) -> None:
    """A host that is shared by three profiles, and one where only a path has any."""
    add_provider("paygo", toml(HOST))
    add_provider("plan", toml(f"{HOST}/plan", "plans.example/plan/v3", base="/plan/v3"))
    add_provider("gold", toml(f"{HOST}/plan/gold/"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("", "paygo"),
        ("/v1", "paygo"),
        ("/planner/v1", "paygo"),
        ("/v1/plan", "paygo"),
        ("/plan", "plan"),
        ("/plan/v3", "plan"),
        ("/plan/goldfish", "plan"),
        ("/plan/gold", "gold"),
        ("/plan/gold/v1", "gold"),
    ],
)
def test_the_longest_path_wins(plans: None, path: str, name: str):
    assert profiles.at(HOST, path) == name
    route = routed(f"{path}/chat/completions?a=/plan/gold")
    assert route is not None
    assert route.profile == name
    assert route.base_url == f"https://{HOST}{path}"


@pytest.mark.parametrize("path", ["//plan/./gold/v1", "/Plan/GOLD/v1", "/%70lan/gol%64/v1"])
def test_a_path_is_known_however_it_is_spelt(plans: None, path: str):
    route = routed(f"{path}/chat/completions/")
    assert route is not None
    assert route.profile == "gold"


def test_other_paths_of_a_host_are_no_business_of_ours(plans: None):
    inside = routed("/plan/v3/chat/completions", "plans.example")
    assert inside is not None
    assert inside.profile == "plan"
    for path in ("/v1/chat/completions", "/chat/completions", "/plan/v4/chat/completions", "*", "/"):
        assert routed(path, "plans.example") is None
    assert "plans.example" in Routes(options.parse({})).hosts


def test_options_are_about_the_whole_host(plans: None):
    for given in ({"hosts": "plans.example=tokenhub"}, {"profile": "tokenhub"}):
        for path in ("/v1/chat/completions", "/plan/v3/chat/completions"):
            route = routed(path, "plans.example", **given)
            assert route is not None
            assert route.profile == "tokenhub"


def test_what_is_rerouted_has_the_profile_of_its_new_address(plans: None):
    for upstream, name in ((f"https://{HOST}/v1", "paygo"), (f"https://{HOST}/plan/gold", "gold")):
        route = routed("/v1/chat/completions", "api.hunyuan.cloud.tencent.com", upstream=upstream)
        assert route is not None
        assert (route.profile, route.successors) == (name, True)
        assert route.base_url == upstream
    assert routed("/v1/chat/completions", "plans.example", upstream=f"https://{HOST}/v1") is None


def test_an_option_takes_a_new_profile(add_provider: Add):
    with pytest.raises(OptionError, match=", ".join(profiles.names())):
        options.parse({"hunyuan_profile": "toy"})
    add_provider("toy", toml(HOST))
    settings = options.parse({"hunyuan_profile": "toy", "hunyuan_hosts": "localhost=toy"})
    assert (settings.profile, settings.hosts) == ("toy", {"localhost": "toy"})


def test_two_profiles_of_one_address_are_a_mistake(add_provider: Add):
    add_provider("one", toml(f"{HOST}/v1"))
    add_provider("two", toml(f"{HOST}/v1/"))
    with pytest.raises(ValueError, match="one and two"):
        profiles.at(HOST)


def test_a_host_is_shut_down_when_nothing_answers_there(add_provider: Add):
    gone = profiles.shut_down("API.hunyuan.cloud.tencent.com")
    assert gone is not None
    assert gone.name == "hunyuan"
    assert profiles.shut_down("tokenhub.tencentmaas.com") is None
    assert profiles.shut_down("api.openai.com") is None
    add_provider("lives", toml("api.hunyuan.cloud.tencent.com/plan"))
    assert profiles.shut_down("api.hunyuan.cloud.tencent.com") is None
