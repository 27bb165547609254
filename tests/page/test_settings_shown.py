"""The settings for the page: every option once, in both languages, and no secret whatever is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mitmproxy.test import taddons

from hunyuan_fix import options
from hunyuan_fix.config import shown
from hunyuan_fix.config.hot_change import HostOptions
from hunyuan_fix.config.option import Value
from hunyuan_fix.config.subjects import subjects
from hunyuan_fix.exchange import Response
from hunyuan_fix.observe.last_exchanges import LastExchanges
from hunyuan_fix.options import OPTIONS
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from hunyuan_fix.runtime import Runtime
from hunyuan_fix.texts import LANGUAGES
from hunyuan_fix.upstream.client import Transport
from hunyuan_fix.wire.openai_error import ProxyError

SECRET = "hunter2-sk-0123456789"
BY_NAME = {option.name: option for option in OPTIONS}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_option_is_there_once_with_its_help_in_the_readers_language(language: str) -> None:
    runtime = made({})
    answer = await runtime.page.ask("settings", {}, language)
    assert isinstance(answer, Response)
    body = json.loads(answer.body)
    shown_names = [one["name"] for subject in body["subjects"] for one in subject["options"]]
    assert sorted(shown_names) == sorted(BY_NAME)
    chinese = [any("\u4e00" <= letter <= "\u9fff" for letter in one["help"]) for one in body["subjects"][0]["options"]]
    assert all(chinese) if language == "zh" else not any(chinese)
    assert [subject["title"] for subject in body["subjects"]] == [one.title[language] for one in subjects().values()]
    await runtime.aclose()


async def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, keys = tmp_path / "key", tmp_path / "keys.toml"
    for file, text in ((key, SECRET), (keys, f'[providers.moonshot]\nfile = "{key}"\n')):
        file.write_text(text)
        file.chmod(0o600)
    monkeypatch.setenv("HUNYUAN_ADMIN_TOKEN", SECRET)
    given: dict[str, Value] = {
        "hunyuan_api_key_file": str(key),
        "hunyuan_keys_file": str(keys),
        "hunyuan_outgoing_proxy": f"http://user:{SECRET}@127.0.0.1:1",
        "hunyuan_search_command": f"/bin/echo --key {SECRET}",
    }
    runtime = made(given)
    answer = await runtime.page.ask("settings", {}, "en")
    assert isinstance(answer, Response)
    assert SECRET.encode() not in answer.body
    body = json.loads(answer.body)
    values = {one["name"]: one["value"] for subject in body["subjects"] for one in subject["options"]}
    assert values["hunyuan_outgoing_proxy"] == "http://***@127.0.0.1:1"
    assert values["hunyuan_search_command"] == "/bin/echo …"
    assert {"name": "HUNYUAN_API_KEY", "set": True} in body["keys"]
    assert {"name": "moonshot", "set": True} in body["keys"]
    assert [file["path"] for file in body["files"]] == [str(key), str(keys)]
    await runtime.aclose()


def test_a_table_is_whole_and_a_switch_is_a_word() -> None:
    rows = json.dumps([{"when": {"model": "x"}, "model": "hy3"}] * 40)
    assert shown.value(BY_NAME["hunyuan_model_map"], rows) == rows
    assert shown.value(BY_NAME["hunyuan_redact"], True) == "true"
    assert shown.value(BY_NAME["hunyuan_search_command"], "prog") == "prog"


async def test_where_the_workers_serve_this_process_has_none() -> None:
    answer = await Page(Sources(LastExchanges())).ask("settings", {}, "en")
    assert isinstance(answer, ProxyError)
    assert answer.status == 404


def made(given: dict[str, Value]) -> Runtime:
    values: dict[str, object] = {option.name: option.default for option in OPTIONS}
    values |= {"hunyuan_store": "memory", **given}
    settings = options.parse(values)
    with taddons.context():
        runtime = Runtime(settings)
        runtime.config.begin(HostOptions({}, values.get, lambda _: None), {}, {}, {})
        runtime.configure(settings, Transport())
    return runtime
