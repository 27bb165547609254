"""The environment of the proxy that `run --kimi` takes the place of."""

from __future__ import annotations

import pytest

from hunyuan_fix import options
from hunyuan_fix.cli import kimi
from hunyuan_fix.cli import launch as command_line
from hunyuan_fix.cli.kimi import KimiEnvironment


def read(**environment: str) -> KimiEnvironment:
    return KimiEnvironment.read(environment)


def given(read: KimiEnvironment) -> dict[str, str]:
    """The options that it sets, as mitmproxy reads them."""
    words = read.arguments
    return dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")


def test_without_any_it_is_what_the_old_one_was():
    found = read()
    assert (found.host, found.port, found.proxy) == ("127.0.0.1", "8000", "")
    assert given(found) == {"hunyuan_upstream": "https://zenmux.ai/api/anthropic"}
    assert "--verbose" not in found.arguments
    options.parse(given(found))


def test_each_variable_counts():
    found = read(
        MOONSHOT_BASE_URL="https://api.moonshot.cn/anthropic",
        PROXY_HOST="0.0.0.0",
        PROXY_PORT="8123",
        DEBUG="true",
        HTTPS_PROXY="http://127.0.0.1:10808",
        HTTP_PROXY="http://127.0.0.1:1",
        ZENMUX_API_KEY="sk-secret",
    )
    assert (found.host, found.port) == ("0.0.0.0", "8123")
    assert given(found) == {
        "hunyuan_upstream": "https://api.moonshot.cn/anthropic",
        "hunyuan_outgoing_proxy": "http://127.0.0.1:10808",
    }
    assert "--verbose" in found.arguments
    assert "sk-secret" not in str(found), "a key is in no command line"
    options.parse(given(found))


@pytest.mark.parametrize(
    ("url", "profile"),
    [
        ("http://127.0.0.1:9000/api/anthropic", "zenmux"),
        ("http://127.0.0.1:9000/api/v1", "zenmux"),
        ("http://10.0.0.7/anthropic", "moonshot"),
        ("https://llm.example.com/v1", "moonshot"),
        ("https://llm.example.com/coding", "kimi-coding"),
        ("https://llm.example.com", "moonshot"),
        ("https://llm.example.com/gateway", "moonshot"),
        ("https://api.fireworks.ai/inference/v1", "moonshot"),  # a vendor whose hosts no profile names
        ("https://zenmux.ai/api/v1", None),
        ("https://api.kimi.com/coding", None),
    ],
)
def test_a_server_of_another_name_is_judged_by_its_path(url: str, profile: str | None):
    assert given(read(MOONSHOT_BASE_URL=url)).get("hunyuan_profile") == profile


@pytest.mark.parametrize("said", ["", "0", "False", "no", "OFF"])
def test_debug_may_be_said_to_be_off(said: str):
    assert "--verbose" not in read(DEBUG=said).arguments


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://zenmux.ai/api/anthropic", {"https_proxy": "http://p:1"}, "http://p:1"),
        ("https://zenmux.ai/api/anthropic", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://gateway.lan/anthropic", {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        ("http://127.0.0.1:9/anthropic", {"HTTP_PROXY": "http://p:1"}, None),
    ],
)
def test_the_proxy_is_that_of_the_endpoints_scheme(url: str, environment: dict[str, str], proxy: str | None):
    assert given(read(MOONSHOT_BASE_URL=url, **environment)).get("hunyuan_outgoing_proxy") == proxy


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MOONSHOT_BASE_URL": "zenmux.ai"}, "MOONSHOT_BASE_URL: accepted is a base URL"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, "HTTPS_PROXY: accepted is a proxy"),
        ({"PROXY_PORT": "eighty"}, "is not a port"),
        ({"HTTPS_PROXY": "http://127.0.0.1:8000"}, "HTTPS_PROXY names this proxy itself"),
    ],
)
def test_what_is_wrong_is_said_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str], said: str
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        command_line.parse(["--kimi"], "hunyuan-fix ")
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_command_line_counts_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PROXY_PORT", "8123")
    monkeypatch.setenv("PROXY_HOST", "0.0.0.0")
    words = [
        "--kimi",
        "--reverse-port",
        "8200",
        "--host",
        "127.0.0.1",
        "--set",
        "hunyuan_upstream=https://zenmux.ai/api",
    ]
    launch = command_line.parse(words, "hunyuan-fix ")
    assert (launch.host, launch.reverse_port) == ("127.0.0.1", 8200)
    command = launch.command()
    assert [word for word in command if word.startswith(("regular@", "reverse:"))] == [
        "reverse:https://api.hunyuan.cloud.tencent.com@127.0.0.1:8200"
    ]
    assert command[-1] == "hunyuan_upstream=https://zenmux.ai/api"
    assert command_line.parse(["--port", "8000"], "").kimi is None


def test_no_agent_runs_by_it(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        command_line.parse(["--kimi", "--", "claude"], "hunyuan-fix ")
    assert "--kimi starts a proxy alone" in capsys.readouterr().err


def test_the_key_is_the_old_ones_and_no_other():
    environment = {"ZENMUX_API_KEY": " sk-zen ", "HUNYUAN_API_KEY": "sk-tencent", "HUNYUAN_API_KEY_FILE": "/key"}
    assert "ZENMUX_API_KEY" in kimi.take_key(environment)
    assert environment == {"ZENMUX_API_KEY": " sk-zen ", "HUNYUAN_API_KEY": "sk-zen"}
    other = {"HUNYUAN_API_KEY": "sk-tencent"}
    assert "HUNYUAN_API_KEY is for another endpoint" in kimi.take_key(other)
    assert other == {}
    assert "sk-" not in kimi.take_key({"ZENMUX_API_KEY": "sk-zen"}) + kimi.take_key({})
