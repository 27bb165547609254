"""A provider is a TOML file and nothing else: found by host and by path."""

from __future__ import annotations

from collections.abc import Callable

from hunyuan_fix import options, profiles
from hunyuan_fix.route import Address, Routes
from tests.providers import toml


def test_a_file_makes_a_provider(add_provider: Callable[[str, str], None]):
    add_provider("toyprovider", toml("toy.example", "shared.example/plan"))
    assert "toyprovider" in profiles.names()
    routes = Routes(options.parse({}))
    route = routes.route("POST", Address("https", "toy.example", 443, "/v1/chat/completions"))
    assert route is not None
    assert (route.profile, route.dialect) == ("toyprovider", "chat")


def test_several_products_on_one_host_each_have_their_own(add_provider: Callable[[str, str], None]):
    add_provider("plan", toml("shared.example/plan"))
    add_provider("payg", toml("shared.example"))
    routes = Routes(options.parse({}))
    found = {
        path: routes.route("POST", Address("https", "shared.example", 443, f"{path}/chat/completions"))
        for path in ("/plan/v3", "/v1", "/planet/v1")
    }
    assert {path: route.profile for path, route in found.items() if route} == {
        "/plan/v3": "plan",
        "/v1": "payg",
        "/planet/v1": "payg",
    }
