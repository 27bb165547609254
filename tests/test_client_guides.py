"""The guides of docs/clients: all there, all alike, and true to what the product has."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from hunyuan_fix.cli import addresses, client_setup, kimi, launch
from hunyuan_fix.cli.agents.proxy import Proxy
from hunyuan_fix.cli.agents.table import agents
from hunyuan_fix.cli.agents.variables import Target, config_file, variables
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.rules import CHAT_RULES
from tests import client_guides
from tests.client_guides import FOLDER, SECTIONS, Guide

ROOT = FOLDER.parents[1]
NAMES = (
    "aider",
    "anthropic-node",
    "anthropic-python",
    "claude-code",
    "cline",
    "cline-cli",
    "codebuddy",
    "codex",
    "continue-cli",
    "copilot",
    "curl",
    "kimi",
    "kimi-code",
    "langchain",
    "litellm",
    "openai-agents",
    "openai-node",
    "openai-node-responses",
    "openai-python",
    "openai-python-responses",
    "opencode",
    "qwen-code",
    "roo-code",
    "tencentcloud-sdk",
    "vercel-ai-sdk",
)
PACKAGES = {
    "anthropic-node": ("@anthropic-ai/sdk", "node"),
    "anthropic-python": ("anthropic",),
    "claude-code": ("@anthropic-ai/claude-code",),
    "cline-cli": ("cline",),
    "codebuddy": ("codebuddy-agent-sdk",),
    "codex": ("@openai/codex",),
    "continue-cli": ("@continuedev/cli", "node"),
    "copilot": ("@github/copilot",),
    "kimi-code": ("@moonshot-ai/kimi-code", "node"),
    "langchain": ("langchain-openai", "openai"),
    "litellm": ("litellm", "mcp"),
    "openai-agents": ("openai-agents", "openai"),
    "openai-node": ("openai", "node"),
    "openai-node-responses": ("openai", "node"),
    "openai-python": ("openai",),
    "openai-python-responses": ("openai",),
    "opencode": ("opencode-ai",),
    "qwen-code": ("@qwen-code/qwen-code", "node"),
    "tencentcloud-sdk": ("tencentcloud-sdk-python-hunyuan",),
    "vercel-ai-sdk": ("ai", "@ai-sdk/openai-compatible", "node"),
}
"""What each guide's client is installed from for `scripts/test --clients`."""
IN_NODE = (
    "anthropic-node",
    "claude-code",
    "cline-cli",
    "codex",
    "continue-cli",
    "copilot",
    "kimi-code",
    "openai-node",
    "openai-node-responses",
    "opencode",
    "qwen-code",
    "vercel-ai-sdk",
)

PAGES = sorted(FOLDER.glob("*.md"))
VARIABLES = client_setup.client_variables(addresses.PORT, Path(addresses.CONFDIR))


@pytest.fixture(params=NAMES)
def guide(request: pytest.FixtureRequest) -> Guide:
    return client_guides.read(request.param)


def pinned(guide: str) -> dict[str, str]:
    """The versions of the packages that `scripts/test --clients` installs for this guide's language."""
    if guide in IN_NODE:
        dependencies: dict[str, str] = json.loads((ROOT / "tests/clients/package.json").read_text())["dependencies"]
        return dependencies
    return pins("requirements.txt")


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / "tests/clients" / file).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_every_client_has_its_page_and_the_index_names_it() -> None:
    assert {page.stem for page in PAGES} == {"README", *NAMES}
    index = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"\]\(([\w-]+)\.md\)", index)) == set(NAMES)


def test_the_pages_are_alike(guide: Guide) -> None:
    assert guide.title.startswith("# ")
    assert guide.tried.startswith("Tried: ")
    assert tuple(guide.sections) == SECTIONS
    assert guide.blocks("Example")
    assert re.search(r"^- ", guide.sections["Quirks"], re.MULTILINE)


def test_a_page_ends_with_a_command_and_what_it_prints(guide: Guide) -> None:
    assert [block.language for block in guide.blocks("Proof")] == ["sh", "text"]
    assert re.search(r"\b(prints|shows)\b", guide.sections["Proof"])
    assert guide.sections["Proof"].endswith("```\n")
    assert guide.printed


@pytest.mark.parametrize("name", PACKAGES)
def test_the_versions_are_those_that_are_tested(name: str) -> None:
    tried, versions = client_guides.read(name).tried, pinned(name)
    for package in PACKAGES[name]:
        assert versions[package] in tried
    index = (FOLDER / "README.md").read_text()
    (row,) = re.findall(rf"^.*\({name}\.md\).*$", index, re.MULTILINE)
    assert versions[PACKAGES[name][0]] in row


def test_pins_are_exact_and_name_no_place() -> None:
    for name in ("package.json", "package-lock.json", "requirements.txt", "rd-agent.txt"):
        text = (ROOT / "tests/clients" / name).read_text()
        assert "://" not in text
        assert '"resolved"' not in text
    assert all(re.fullmatch(r"[\d.]+", version) for version in pinned("opencode").values())
    assert pinned("langchain")


def test_rd_agent_has_the_versions_that_its_page_names_and_those_of_the_other_clients() -> None:
    its_own, others = pins("rd-agent.txt"), pins("requirements.txt")
    assert {name: its_own[name] for name in its_own.keys() & others.keys()}.items() <= others.items()
    for page in ("rd-agent.md", "rd-agent.zh-CN.md"):
        text = (ROOT / "docs" / page).read_text()
        assert all(its_own[name] in text for name in ("rdagent", "litellm", "pydantic-ai-slim"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for script in re.findall(r"\bscripts/\w+", text):
        assert (ROOT / script).is_file(), script
    named = set(re.findall(r"\bhunyuan_\w+", text)) - {"hunyuan_client"}  # a module of the vendor's SDK
    assert named <= {option.name for option in OPTIONS}
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (FOLDER / link).exists(), link
    ours = launch.parse([], "scripts/")
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) <= {str(ours.port), str(ours.reverse_port), str(kimi.PORT)}
    for path in re.findall(r"~/\.mitmproxy/[\w.-]+\w", text):
        assert path in VARIABLES.values()


def test_the_index_names_the_variables_that_scripts_env_sets() -> None:
    index = (FOLDER / "README.md").read_text()
    assert all(f"`{name}`" in index for name in VARIABLES)


def test_every_way_in_is_one_that_the_product_offers(guide: Guide) -> None:
    environment = 'eval "$(scripts/env)"' in guide.sections["Set"]
    agent = f'eval "$(scripts/env --for {guide.name})"' in guide.sections["Set"]
    port = f"127.0.0.1:{addresses.REVERSE_PORT}"
    reverse = any(way in guide.sections["Set"] for way in (f"http://{port}/v1", f'endpoint="{port}"'))
    assert environment or agent or reverse


def test_an_agents_page_sets_what_the_helper_sets() -> None:
    """Claude Code's: there the variables are many, and the addresses those of the reverse proxy."""
    lines = client_guides.read("claude-code").script
    shown = dict(re.findall(r"\b([A-Z_]+)=(\S+)", lines))
    target = Target.by(Proxy(addresses.PORT, addresses.REVERSE_PORT, Path(addresses.CONFDIR), "tokenhub"), None)
    ours = variables(agents()["claude-code"], target, {})
    assert shown.pop("ANTHROPIC_AUTH_TOKEN") == '"$HUNYUAN_API_KEY"'
    assert shown.items() <= ours.values.items()
    assert set(ours.values) - set(shown) - set(VARIABLES) == {
        "NO_PROXY",
        "ANTHROPIC_DEFAULT_FABLE_MODEL",
        "ANTHROPIC_SMALL_FAST_MODEL",  # names of other versions
    }


def test_codexs_page_has_the_settings_of_the_helper() -> None:
    target = Target.by(Proxy(addresses.PORT, addresses.REVERSE_PORT, Path(addresses.CONFDIR), "tokenhub"), None)
    assert list(client_guides.read("codex").files.values()) == [config_file(agents()["codex"], target)]


@pytest.mark.parametrize("name", sorted(agents()))
def test_an_agents_page_names_its_command_and_the_index_too(name: str) -> None:
    index = (FOLDER / "README.md").read_text()
    for command in agents()[name].commands:
        assert f"scripts/run -- {command}`" in client_guides.read(name).sections["Set"]
        assert f"`{command}`" in index


def test_the_repairs_that_proofs_print_exist() -> None:
    rules = {rule.name for rule in CHAT_RULES}
    printed = [client_guides.read(name).printed for name in ("curl", "roo-code", "cline")]
    for line in printed:
        assert set(line.removeprefix("x-hunyuan-fix: ").split(",")) <= rules


def test_the_examples_that_are_data_can_be_read(guide: Guide) -> None:
    for block in guide.blocks("Example"):
        if block.language == "json":
            assert json.loads(block.text)
        if block.language == "toml":
            assert tomllib.loads(block.text)
