"""What an agent's environment becomes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.cli.agents.proxy import Proxy
from hunyuan_fix.cli.agents.table import Agent, agents
from hunyuan_fix.cli.agents.variables import Target, arguments_before, config_file, stronger_settings, variables
from hunyuan_fix.counting import window
from hunyuan_fix.profiles import load

CONFDIR = Path("/conf")
CLAUDE, CODEX, OPENCODE, QWEN = (agents()[name] for name in ("claude-code", "codex", "opencode", "qwen-code"))


def target(profile: str = "tokenhub", model: str | None = None) -> Target:
    return Target.by(Proxy(8080, 4000, CONFDIR, profile), model)


def values(agent: Agent | None, environment: dict[str, str] | None = None, **where: Any) -> dict[str, str]:
    return dict(variables(agent, target(**where), environment or {}).values)


def opencode(environment: dict[str, str] | None = None, **where: Any) -> Any:
    return json.loads(values(OPENCODE, environment, **where)["OPENCODE_CONFIG_CONTENT"])


def test_claude_code_gets_everything_by_its_environment() -> None:
    ours = variables(CLAUDE, target(), {})
    assert ours.values == {
        "HTTPS_PROXY": "http://127.0.0.1:8080",
        "SSL_CERT_FILE": "/conf/hunyuan-fix-ca-bundle.pem",
        "NODE_EXTRA_CA_CERTS": "/conf/mitmproxy-ca-cert.pem",
        "NODE_USE_ENV_PROXY": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:4000",
        "ANTHROPIC_MODEL": "hy3",
        "ANTHROPIC_SMALL_FAST_MODEL": "hy3",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "hy3",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "hy3",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "hy3",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "hy3",
        "CLAUDE_CODE_SUBAGENT_MODEL": "hy3",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "192000",
        "CLAUDE_CODE_MODEL_CAPABILITIES": "-mid_conv_system,-mid_conv_tool_change,-context_management",
        "ENABLE_TOOL_SEARCH": "false",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    }
    assert ours.keys == ("ANTHROPIC_AUTH_TOKEN",)


def test_another_services_key_never_goes_to_this_endpoint() -> None:
    given = {
        "ANTHROPIC_API_KEY": "sk-ant-1",
        "ANTHROPIC_AUTH_TOKEN": "sk-ant-2",
        "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-3",
        "ANTHROPIC_CUSTOM_HEADERS": "x-key: sk-ant-4",
        "OPENAI_API_KEY": "sk-openai",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "OTHER": "kept",
    }
    got = variables(CLAUDE, target(), given).of(given, "sk-hunyuan")
    assert not [value for value in got.values() if "sk-ant" in value]
    assert got["ANTHROPIC_AUTH_TOKEN"] == "sk-hunyuan"
    assert got["OTHER"] == "kept"
    assert "CLAUDE_CODE_USE_BEDROCK" not in got
    assert variables(QWEN, target(), given).of(given, "sk-hunyuan")["OPENAI_API_KEY"] == "sk-hunyuan"


def test_aiders_variables_are_none_that_a_projects_file_sets() -> None:
    """Its `.env` is stronger than the environment: OpenAI's key in it must not come here."""
    assert not [name for name in agents()["aider"].set if name.startswith("OPENAI_")]


def test_capabilities_are_those_that_the_endpoint_lacks() -> None:
    """TokenHub documents `reasoning_effort` and `thinking`; the old platform has neither."""
    off = values(CLAUDE, profile="hunyuan")["CLAUDE_CODE_MODEL_CAPABILITIES"].split(",")
    assert set(off) - set(values(CLAUDE)["CLAUDE_CODE_MODEL_CAPABILITIES"].split(",")) == {
        "-effort",
        "-adaptive_thinking",
    }


@pytest.mark.parametrize(
    ("profile", "model", "window"),
    [
        ("tokenhub", "hy3", "192000"),  # what it takes as input, not its context
        ("tokenhub", "hy3-preview", "192000"),
        ("hunyuan", None, "128000"),
        ("hunyuan", "hunyuan-turbos-longtext-128k-20250325", "134000"),
        ("tokenhub", "youtu-vita", None),
        ("tokenhub", "ep-12345678", None),
    ],
)
def test_the_window_is_the_models_if_it_is_known(profile: str, model: str | None, window: str | None) -> None:
    where: dict[str, Any] = {"profile": profile, "model": model}
    assert values(CLAUDE, **where).get("CLAUDE_CODE_MAX_CONTEXT_TOKENS") == window
    assert values(agents()["kimi-code"], **where).get("KIMI_MODEL_MAX_CONTEXT_SIZE") == window
    assert values(agents()["copilot"], **where).get("COPILOT_PROVIDER_MAX_PROMPT_TOKENS") == window


def test_defaults_are_the_users_where_they_are_set() -> None:
    given = {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "100000", "ENABLE_TOOL_SEARCH": "true", "ANTHROPIC_MODEL": "claude-x"}
    ours = values(CLAUDE, given)
    assert not {"CLAUDE_CODE_MAX_CONTEXT_TOKENS", "ENABLE_TOOL_SEARCH"} & set(ours)
    assert ours["ANTHROPIC_MODEL"] == "hy3"


def test_a_proxy_that_does_not_tell_is_taken_for_tokenhubs() -> None:
    assert target(profile="").model.id == target(profile="no such profile").model.id == "hy3"


def test_opencode_gets_a_provider_and_no_key_in_it() -> None:
    config = opencode()
    provider = config["provider"]["hunyuan"]
    assert config["model"] == config["small_model"] == "hunyuan/hy3"
    assert provider["options"] == {"baseURL": "http://127.0.0.1:4000/v1", "apiKey": "{env:HUNYUAN_API_KEY}"}
    assert provider["models"]["hy3"]["limit"] == {"context": 192000, "output": 128000}
    assert variables(OPENCODE, target(), {}).keys == ("HUNYUAN_API_KEY",)


def test_limits_that_are_not_known_are_left_out_whole() -> None:
    """opencode refuses a `limit` with one number."""
    model = opencode(model="youtu-vita")["provider"]["hunyuan"]["models"]["youtu-vita"]
    assert "limit" not in model
    assert model["attachment"] is True


@pytest.mark.parametrize(
    "given", ['{"theme": "x", "provider": {"a": {"name": "A"}, "hunyuan": {"x": 1}}, "model": "a/b"}']
)
def test_what_the_user_has_beside_it_in_a_json_variable_stays(given: str) -> None:
    config = opencode({"OPENCODE_CONFIG_CONTENT": given})
    assert config["theme"] == "x"
    assert config["provider"]["a"] == {"name": "A"}
    assert config["provider"]["hunyuan"]["x"] == 1
    assert config["model"] == "hunyuan/hy3"


@pytest.mark.parametrize("given", ["", "no JSON", "[1]", "null"])
def test_what_is_no_json_object_there_is_replaced(given: str) -> None:
    assert opencode({"OPENCODE_CONFIG_CONTENT": given}) == opencode()


def test_an_unknown_command_gets_the_general_variables() -> None:
    general = {"HTTPS_PROXY", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY", "NO_PROXY"}
    assert set(values(None)) == general
    given = {"REQUESTS_CA_BUNDLE": "/company.pem", "https_proxy": "http://company:3128"}
    ours = values(None, given)
    assert ours["REQUESTS_CA_BUNDLE"] == ours["SSL_CERT_FILE"]
    assert ours["https_proxy"] == ours["HTTPS_PROXY"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"NO_PROXY": "127.0.0.1,localhost"}),
        ({"NO_PROXY": "a.example, localhost"}, {"NO_PROXY": "a.example,localhost,127.0.0.1"}),
        ({"no_proxy": "a.example"}, dict.fromkeys(("NO_PROXY", "no_proxy"), "a.example,127.0.0.1,localhost")),
        ({"NO_PROXY": "*"}, {"NO_PROXY": "127.0.0.1,localhost"}),
        ({"NO_PROXY": ".tencentmaas.com,a.example"}, {"NO_PROXY": "a.example,127.0.0.1,localhost"}),
    ],
)
def test_base_urls_go_past_every_proxy_and_the_endpoint_past_none(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    ours = values(None, given)
    assert {name: value for name, value in ours.items() if name.lower() == "no_proxy"} == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["--auth-type", "openai", "--model", "hy3"]),
        (["-p", "hi"], ["--auth-type", "openai", "--model", "hy3"]),
        (["-m", "hy3-preview"], ["--auth-type", "openai"]),
        (["--model=x", "--auth-type", "openai"], []),
    ],
)
def test_arguments_are_those_that_the_user_does_not_give(words: list[str], expected: list[str]) -> None:
    assert arguments_before(QWEN, target(), words) == expected


def settings(**where: Any) -> dict[str, Any]:
    """What Codex gets on its command line, as it reads it: TOML, else text."""
    words = arguments_before(CODEX, target(**where), ["exec", "-c", "model=x"])
    assert words[::2] == ["-c"] * (len(words) // 2)
    read: dict[str, Any] = {}
    for name, _, value in (word.partition("=") for word in words[1::2]):
        try:
            read[name] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            read[name] = value
    return read


def test_codex_gets_a_provider_on_its_command_line_and_the_key_by_its_environment() -> None:
    assert settings() == {
        "model": "hy3",
        "model_context_window": 192_000,
        "model_auto_compact_token_limit": window.to_compact_at(192_000),
        "model_provider": "hunyuan-fix",
        "model_providers.hunyuan-fix.name": "hunyuan-fix",
        "model_providers.hunyuan-fix.base_url": "http://127.0.0.1:4000/v1",
        "model_providers.hunyuan-fix.env_key": "HUNYUAN_API_KEY",
        "model_providers.hunyuan-fix.wire_api": "responses",
    }
    assert variables(CODEX, target(), {}).keys == ("HUNYUAN_API_KEY",)
    assert not {"model_context_window", "model_auto_compact_token_limit"} & set(settings(model="ep-12345678"))


@pytest.mark.parametrize("model", ["hy3", "123", "true", "1e3", '"', "it's", "a b", "x # y", "a=b"])
def test_every_models_name_arrives_as_text(model: str) -> None:
    assert settings(model=model)["model"] == model
    assert tomllib.loads(config_file(CODEX, target(model=model)))["model"] == model


def test_settings_for_a_file_are_those_of_the_command_line() -> None:
    read = tomllib.loads(config_file(CODEX, target()))
    provider = read.pop("model_providers").pop("hunyuan-fix")
    assert read | {f"model_providers.hunyuan-fix.{name}": value for name, value in provider.items()} == settings()
    assert config_file(QWEN, target()) == ""


def test_the_users_own_window_is_the_agents() -> None:
    proxy = Proxy(8080, 4000, CONFDIR, "tokenhub")
    assert Target.by(proxy, "ep-1", 20_000).window == 20_000
    assert Target.by(proxy, None, 20_000).window == 20_000


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"ANTHROPIC_BASE_URL": "https://api.moonshot.cn/anthropic", "ANTHROPIC_AUTH_TOKEN": "sk-kimi"}, 2),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-kimi"}, 1),
        ({"ANTHROPIC_API_KEY": "sk-ant"}, 1),
        ({"CLAUDE_CODE_USE_VERTEX": "1"}, 1),
        ({"ANTHROPIC_MODEL": "hy3-preview", "BASH_DEFAULT_TIMEOUT_MS": "1"}, 0),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000", "ANTHROPIC_AUTH_TOKEN": "sk-hunyuan"}, 0),
        ([], 0),
    ],
)
def test_settings_that_are_stronger_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: object, names: int
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config of claude"
    file = folder / "settings.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"env": given}), "utf-8")
    ours = values(CLAUDE)
    found = list(stronger_settings(CLAUDE, ours, {"CLAUDE_CONFIG_DIR": str(folder)}))
    assert [(path, len(each)) for path, each in found] == ([(file, names)] if names else [])
    assert not list(stronger_settings(CLAUDE, ours, {}))
    file.write_text("no JSON", "utf-8")
    assert not list(stronger_settings(CLAUDE, ours, {"CLAUDE_CONFIG_DIR": str(folder)}))


@pytest.mark.parametrize("place", [".claude/settings.json", ".claude/settings.local.json"])
def test_a_projects_settings_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_text('{"env": {"ANTHROPIC_BASE_URL": "https://x"}}', "utf-8")
    assert [names for _, names in stronger_settings(CLAUDE, values(CLAUDE), {})] == [["ANTHROPIC_BASE_URL"]]


def test_the_known_models_are_those_of_the_profile() -> None:
    profile = load("tokenhub")
    assert target().window == profile.models["hy3"].input
