"""What clients' own files say, in a home of the test's: each fault is found with its place, and no key is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.cli.doctor.client_settings import client_settings
from hunyuan_fix.cli.doctor.listeners import Listener, Route
from hunyuan_fix.cli.doctor.situation import Finding, Situation
from tests.cli.doctor.situations import RUNNING, situation
from tests.end_to_end.processes import Certificates

CN = "tokenhub.tencentmaas.com"
SECRET = "sk-nobody-may-see-this"
ROUTE = Route("tokenhub", upstream=f"https://{CN}/v1")


class Home:
    """A home with settings files, and what the doctor says of them while a proxy runs."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder = folder
        self._certificates = certificates

    def write(self, name: str, content: str | dict[str, Any]) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        path.chmod(0o600)
        return path

    def findings(self, variables: dict[str, str] | None = None, **changes: Any) -> dict[str, Finding]:
        at = situation(self._certificates, HOME=str(self.folder), **(variables or {}))
        now = {"folder": self.folder / "project", "upstream": None, "route": ROUTE, **RUNNING, **changes}
        at = replace(at, **now)
        found = [*client_settings(at)]
        assert SECRET not in "".join(one.found + one.advice + str(one.fix and one.fix.what) for one in found)
        by_id = {one.id: one for one in found}
        assert len(by_id) == len(found)
        return by_id


@pytest.fixture
def home(tmp_path: Path, certificates: Certificates) -> Home:
    (tmp_path / "project").mkdir()
    return Home(tmp_path, certificates)


def claude(**env: str) -> dict[str, Any]:
    return {"model": "opus", "env": {"ANTHROPIC_AUTH_TOKEN": SECRET, **env}}


def test_without_files_there_is_nothing_to_say(home: Home) -> None:
    assert home.findings() == {}


@pytest.mark.parametrize(
    ("env", "id_", "value"),
    [
        ({"ANTHROPIC_BASE_URL": f"https://{CN}/v1"}, "settings/anthropic-v1", "http://127.0.0.1:4000"),
        ({"ANTHROPIC_BASE_URL": f"https://{CN}"}, "settings/past", "http://127.0.0.1:4000"),
        (
            {"ANTHROPIC_BASE_URL": "https://tokenhub-intl.tencentmaas.com"},
            "settings/host",
            "https://tokenhub-intl.tencentcloudmaas.com",
        ),
        (
            {"ANTHROPIC_BASE_URL": "https://api.hunyuan.cloud.tencent.com/v1"},
            "settings/shut-down",
            "http://127.0.0.1:4000",
        ),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:8080"}, "settings/proxy-port", "http://127.0.0.1:4000"),
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, "settings/proxy", "http://127.0.0.1:8080"),
    ],
)
def test_claude_codes_environment(home: Home, env: dict[str, str], id_: str, value: str) -> None:
    file = home.write(".claude/settings.json", claude(**env))
    found = home.findings()
    assert [*found] == [id_]
    assert f"{file}:5" in found[id_].found
    assert found[id_].advice == f"set it to {value}"
    fix = found[id_].fix
    assert fix
    assert "undo" in fix.apply({})
    (name,) = env
    assert json.loads(file.read_text()) == {**claude(**{name: value})}
    later = home.findings()
    assert [one.id for one in later.values() if one.fix] == []  # a second --fix has nothing to do


def test_a_key_fits_the_endpoint_or_its_file_is_left_alone(home: Home) -> None:
    """The proxy sends to TokenHub: a client of the plan would send its key to the wrong product."""
    home.write(".claude/settings.json", claude(ANTHROPIC_BASE_URL="https://api.lkeap.cloud.tencent.com/plan/anthropic"))
    found = home.findings()
    assert [*found] == ["settings/past"]
    assert found["settings/past"].fix is None


def test_while_no_proxy_runs_nobody_is_led_to_it(home: Home) -> None:
    home.write(".claude/settings.json", claude(ANTHROPIC_BASE_URL=f"https://{CN}"))
    found = home.findings(proxy=Listener.NOTHING, reverse=Listener.NOTHING)
    assert (found["settings/past"].result, found["settings/past"].fix) == ("info", None)


def test_the_files_environment_is_stronger_than_the_shells(home: Home) -> None:
    home.write("project/.claude/settings.json", claude(ANTHROPIC_BASE_URL="https://gateway.example"))
    assert home.findings() == {}
    found = home.findings({"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"})
    assert [*found] == ["settings/stronger"]
    assert found["settings/stronger"].advice.endswith("set it to http://127.0.0.1:4000")


def test_a_file_that_leads_to_the_proxy_is_good(home: Home, certificates: Certificates) -> None:
    home.write(".claude/settings.json", claude(ANTHROPIC_BASE_URL="http://127.0.0.1:4000"))
    assert [*home.findings()] == ["settings/ok"]
    roots = {"NODE_EXTRA_CA_CERTS": str(certificates.proxy_ca)}
    home.write(".claude/settings.json", claude(HTTPS_PROXY="http://127.0.0.1:8080", **roots))
    assert [*home.findings()] == ["settings/ok"]
    # By HTTPS_PROXY the old address is no fault: the proxy sends such calls on.
    old = {"ANTHROPIC_BASE_URL": "https://api.hunyuan.cloud.tencent.com"}
    home.write(".claude/settings.json", claude(HTTPS_PROXY="http://127.0.0.1:8080", **roots, **old))
    assert [*home.findings()] == ["settings/ok"]


def test_roots_in_a_file(home: Home, certificates: Certificates, tmp_path: Path) -> None:
    home.write(".claude/settings.json", claude(HTTPS_PROXY="http://127.0.0.1:8080"))
    assert [*home.findings()] == ["settings/no-roots"]
    assert [*home.findings({"NODE_EXTRA_CA_CERTS": str(certificates.proxy_ca)})] == ["settings/ok"]
    for roots in (tmp_path / "missing.pem", certificates.authority_file):
        home.write(".claude/settings.json", claude(HTTPS_PROXY="http://127.0.0.1:8080", NODE_EXTRA_CA_CERTS=str(roots)))
        found = home.findings()
        assert [*found] == ["settings/roots"]
        assert found["settings/roots"].advice == f"set it to {certificates.proxy_ca}"
    home.write(".claude/settings.json", claude(NODE_EXTRA_CA_CERTS=str(certificates.authority_file)))
    assert home.findings() == {}  # a company's CA, of a client that doesn't use the proxy


def test_a_key_of_another_product(home: Home) -> None:
    plan = "sk-tp-nobody-may-see-this"
    home.write(".claude/settings.json", claude(ANTHROPIC_AUTH_TOKEN=plan, ANTHROPIC_BASE_URL="http://127.0.0.1:4000"))
    found = home.findings()
    assert [*found] == ["settings/other-key"]
    assert plan not in found["settings/other-key"].found + found["settings/other-key"].advice
    to_plan = Route("tokenhub-plan", upstream="https://api.lkeap.cloud.tencent.com/plan/v3")
    assert [*home.findings(route=to_plan)] == ["settings/ok"]


def test_a_key_that_others_can_read(home: Home) -> None:
    for name, content in (
        (".claude/settings.json", claude()),
        (".config/opencode/opencode.json", {"provider": {"a": {"options": {"apiKey": SECRET}}}}),
        (".codex/config.toml", f'[model_providers.a]\nexperimental_bearer_token = "{SECRET}"\n'),
    ):
        file = home.write(name, content)
        file.chmod(0o644)
        found = home.findings()
        assert [*found] == ["settings/open"]
        fix = found["settings/open"].fix
        assert fix
        fix.apply({})
        assert file.stat().st_mode & 0o777 == 0o600
        assert home.findings() == {}
        file.unlink()
    home.write(".config/opencode/opencode.json", {"provider": {"a": {"options": {"apiKey": "{env:KEY}"}}}}).chmod(0o644)
    assert home.findings() == {}


CODEX = """\
model_provider = "{chosen}"

[model_providers.mine]
base_url = "{url}"
wire_api = "{wire}"
{more}
"""


@pytest.mark.parametrize(
    ("chosen", "url", "wire", "more", "ids"),
    [
        ("mine", "http://127.0.0.1:4000/v1", "responses", 'env_key = "KEY"', ["settings/ok"]),
        ("openai", "https://gateway.example/v1", "responses", "", []),
        ("mien", "http://127.0.0.1:4000/v1", "responses", 'env_key = "KEY"', ["settings/no-provider"]),
        ("mine", "http://127.0.0.1:4000/v1", "chat", 'env_key = "KEY"', ["settings/wire-api"]),
        ("mine", "http://127.0.0.1:4000/v1", "responses", 'env_key = "OTHER"', ["settings/no-key"]),
        ("mine", "http://127.0.0.1:4000/v1", "responses", "", ["settings/no-key"]),
        ("mine", "http://127.0.0.1:4000/v1", "responses", "http_headers = { a = 'b' }", ["settings/ok"]),
        ("mine", f"https://{CN}/v1/responses", "responses", 'env_key = "KEY"', ["settings/api-path"]),
        (
            "mine",
            "https://api.lkeap.cloud.tencent.com/plan/v3",
            "responses",
            'env_key = "KEY"',
            ["settings/api"],
        ),
    ],
)
def test_codex(home: Home, chosen: str, url: str, wire: str, more: str, ids: list[str]) -> None:
    file = home.write(".codex/config.toml", CODEX.format(chosen=chosen, url=url, wire=wire, more=more))
    found = home.findings({"KEY": SECRET})
    assert [*found] == ids
    for one in found.values():
        if one.fix is not None:
            one.fix.apply({})
            later = home.findings({"KEY": SECRET})
            assert [other.id for other in later.values() if other.fix is not None] == []
            assert file.read_text().count("\n") == 6


def test_codex_with_a_login_of_openais(home: Home) -> None:
    text = CODEX.format(
        chosen="mine", url="http://127.0.0.1:4000/v1", wire="responses", more="requires_openai_auth = true"
    )
    home.write(".codex/config.toml", text)
    assert "sends no key" in home.findings()["settings/no-key"].found
    home.write(".codex/auth.json", SECRET)
    assert "sends the login in auth.json" in home.findings()["settings/no-key"].found


def test_codex_whose_provider_is_not_chosen(home: Home) -> None:
    home.write(".codex/config.toml", '[model_providers.mine]\nbase_url = "http://127.0.0.1:4000/v1"\n')
    found = home.findings()
    assert [*found] == ["settings/not-chosen"]
    assert found["settings/not-chosen"].advice == 'add above the first table: model_provider = "mine"'


@pytest.mark.parametrize(
    ("name", "content", "id_"),
    [
        (".qwen/settings.json", {"env": {"OPENAI_BASE_URL": f"https://{CN}"}}, "settings/path"),
        (".qwen/settings.json", {"modelProviders": {"openai": [{"baseUrl": f"https://{CN}/v1/v1"}]}}, "settings/twice"),
        (".qwen/settings.json", {"proxy": "127.0.0.1:8080"}, "settings/proxy"),
        (".kimi-code/config.toml", f'[providers.a]\ntype = "openai"\nbase_url = "https://{CN}"\n', "settings/path"),
        (
            ".kimi-code/config.toml",
            f'[providers.a]\ntype = "anthropic"\nbase_url = "https://{CN}/v1"\n',
            "settings/anthropic-v1",
        ),
        (
            "project/opencode.json",
            {"provider": {"a": {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": f"https://{CN}"}}}},
            "settings/path",
        ),
        ("project/opencode.json", '{"provider": {', "settings/broken"),
        (".claude/settings.json", "{", "settings/broken"),
    ],
)
def test_other_clients(home: Home, name: str, content: str | dict[str, Any], id_: str) -> None:
    file = home.write(name, content)
    found = home.findings()
    assert [*found] == [id_]
    assert f"{file}:" in found[id_].found


@pytest.mark.parametrize("package", ["@ai-sdk/anthropic", "@ai-sdk/something"])
def test_base_urls_of_other_packages_have_paths_of_their_own(home: Home, package: str) -> None:
    provider = {"npm": package, "options": {"baseURL": f"https://{CN}/v1/anything"}}
    home.write("project/opencode.json", {"provider": {"a": provider}})
    assert [*home.findings()] == ["settings/past"]


def test_values_of_other_types_are_passed_over(home: Home) -> None:
    home.write(".claude/settings.json", {"env": {"ANTHROPIC_BASE_URL": 7, "HTTPS_PROXY": None}})
    home.write(".codex/config.toml", "model_provider = 7\nmodel_providers = [1]\n")
    home.write("project/opencode.json", {"provider": [{"options": 3}]})
    home.write(".qwen/settings.json", {"env": [], "modelProviders": {"openai": {"baseUrl": {}}}})
    assert home.findings() == {}


def test_a_port_of_this_machine_where_nothing_listens(home: Home, certificates: Certificates) -> None:
    home.write(".claude/settings.json", claude(ANTHROPIC_BASE_URL="http://127.0.0.1:9"))
    found = home.findings()
    assert [*found] == ["settings/nothing-there"]
    assert found["settings/nothing-there"].advice == "set it to http://127.0.0.1:4000"


def test_a_situation_says_whether_a_port_is_free(certificates: Certificates) -> None:
    at: Situation = situation(certificates)
    assert at.is_free(9)


@pytest.mark.parametrize("url", ["http://[", "https://[x]/v1", "//", "http://h:x", "\ud83d", "{BASE}", "", " ", "\x00"])
def test_what_is_no_url_ends_no_check(home: Home, url: str) -> None:
    path = home.write(".claude/settings.json", claude(ANTHROPIC_BASE_URL=url, HTTPS_PROXY=url, NODE_EXTRA_CA_CERTS=url))
    before = path.read_bytes()
    home.findings({"ANTHROPIC_BASE_URL": url, "HTTPS_PROXY": url, "NODE_EXTRA_CA_CERTS": url})
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", [".claude/settings.json", ".codex/config.toml"])
def test_a_number_that_python_does_not_read_is_no_valid_file(home: Home, name: str) -> None:
    home.write(name, '{"a": %s}' % ("9" * 5000) if name.endswith("json") else "a = " + "9" * 5000)
    assert [*home.findings()] == ["settings/broken"]
