from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.addonmanager import AddonManager
from mitmproxy.http import MessageData
from mitmproxy.optmanager import _Option
from mitmproxy.proxy.layers.http import HttpStream

from hunyuan_fix.hooks.mitmproxy_internals import dispatch, failed_calls, replacements, values
from hunyuan_fix.hooks.mitmproxy_internals.replacements import ANSWERING, FASTER, GROUPS
from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT, process
from tests.proxying import LOCAL, Endpoint, Trust, chat_answer, run_endpoint, run_proxy

REPLACEMENTS = [replacement for group in GROUPS for replacement in group.replacements]
KNOWN = [(place, digests) for replacement in REPLACEMENTS for place, digests in replacement.known.items()]


class Instance:
    """In place of an instance of the addon."""


@pytest.fixture
def instance() -> Iterator[Instance]:
    made = Instance()
    yield made
    replacements.release(made, FASTER)


@pytest.mark.parametrize(("place", "digests"), KNOWN, ids=[place for place, _ in KNOWN])
def test_the_source_of_what_is_replaced_is_the_known_one(place: str, digests: frozenset[str]):
    """Where this fails after an upgrade: compare the function with the one that replaces it, then add its digest."""
    assert replacements.digest(replacements.original(place)) in digests


def test_what_is_replaced_is_among_what_must_be_known():
    for replacement in REPLACEMENTS:
        assert set(replacement.by) <= set(replacement.known)


def test_all_is_replaced_while_it_is_wanted_and_put_back_then(instance: Instance):
    own = replacements.original("mitmproxy.addonmanager:AddonManager.trigger_event")
    replacements.want(instance, FASTER)
    assert AddonManager.trigger_event is dispatch.trigger_event
    assert MessageData.__post_init__ is values.check_types
    assert _Option.current is values.current
    replacements.want(instance, FASTER)
    replacements.release(instance, FASTER)
    assert AddonManager.trigger_event is own
    assert own is not dispatch.trigger_event
    assert MessageData.__post_init__ is not values.check_types
    assert _Option.current is not values.current


def test_each_group_is_wanted_by_itself(instance: Instance):
    own = replacements.original("mitmproxy.proxy.layers.http:HttpStream.handle_protocol_error")
    replacements.want(instance, ANSWERING)
    replacements.want(instance, FASTER)
    replacements.release(instance, FASTER)
    assert HttpStream.handle_protocol_error is failed_calls.handle_protocol_error
    replacements.want(instance, FASTER)
    replacements.release(instance, ANSWERING)
    assert HttpStream.handle_protocol_error is own
    assert AddonManager.trigger_event is dispatch.trigger_event


def test_the_end_of_one_instance_leaves_it_to_the_next(instance: Instance):
    """At a hot reload the old instance ends when the new one is there, or before: either order."""
    old = Instance()
    replacements.want(old, FASTER)
    replacements.want(instance, FASTER)
    replacements.release(old, FASTER)
    replacements.release(old, FASTER)
    assert AddonManager.trigger_event is dispatch.trigger_event


def test_what_another_script_has_put_over_it_stays(instance: Instance):
    own = replacements.original("mitmproxy.addonmanager:AddonManager.trigger_event")
    replacements.want(instance, FASTER)
    of_another: Any = wraps(AddonManager.trigger_event)(lambda *_: None)
    AddonManager.trigger_event = of_another  # type: ignore[method-assign]
    try:
        replacements.release(instance, FASTER)
        assert AddonManager.trigger_event is of_another
        assert AddonManager.handle_lifecycle is not dispatch.handle_lifecycle
    finally:
        AddonManager.trigger_event = own  # type: ignore[method-assign]


def test_a_wrapped_function_is_not_taken_for_the_one_within(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    own = AddonManager.invoke_addon

    @wraps(own)
    async def wrapper(*values: object) -> None:
        await own(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(AddonManager, "invoke_addon", wrapper)
    replacements.want(instance, FASTER)
    assert AddonManager.trigger_event is not dispatch.trigger_event
    assert _Option.current is values.current, "the others don't depend on it"
    assert "event dispatch (the source of AddonManager.invoke_addon is another one)" in caplog.text


def test_of_an_unknown_mitmproxy_all_stays_and_is_named_once(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    own = (AddonManager.trigger_event, MessageData.__post_init__, _Option.current)
    monkeypatch.setattr(replacements, "digest", lambda _: "another")
    replacements.want(instance, FASTER)
    replacements.want(instance, FASTER)  # as at each change of an option
    assert (AddonManager.trigger_event, MessageData.__post_init__, _Option.current) == own
    assert len(caplog.messages) == 1
    assert all(replacement.subject in caplog.text for replacement in FASTER.replacements)


async def test_the_addon_replaces_while_it_runs_and_follows_its_option(trust: Trust, endpoint: Endpoint):
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        assert AddonManager.trigger_event is dispatch.trigger_event
        proxy.master.options.update(hunyuan_fast_dispatch=False)
        assert AddonManager.trigger_event is not dispatch.trigger_event
        assert HttpStream.handle_protocol_error is failed_calls.handle_protocol_error, "no option turns it off"
        proxy.master.options.update(hunyuan_fast_dispatch=True)
        assert AddonManager.trigger_event is dispatch.trigger_event
    assert AddonManager.trigger_event is not dispatch.trigger_event
    assert HttpStream.handle_protocol_error is not failed_calls.handle_protocol_error


OF_ANOTHER = """
from mitmproxy.addonmanager import AddonManager, safecall
from mitmproxy.exceptions import AddonHalt

async def trigger_event(self, event):
    for addon in self.chain:
        try:
            with safecall():
                await self.invoke_addon(addon, event)
        except AddonHalt:
            break
"""
"""Another `trigger_event`, of the kind that a later version of mitmproxy might have."""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"{OF_ANOTHER}\nAddonManager.trigger_event = trigger_event", "trigger_event is another one"),
        (f"exec({OF_ANOTHER!r})\nAddonManager.trigger_event = trigger_event", "trigger_event can't be read"),
        ("", None),
    ],
    ids=["another source", "no source", "the known source"],
)
async def test_a_real_mitmdump_says_once_what_it_keeps_and_works(
    trust: Trust, tmp_path: Path, script: str, said: str | None
):
    other = tmp_path / "other.py"
    other.write_text(script, encoding="utf-8")
    port = free_port()
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = chat_answer("hi")
        mode = f"reverse:http://{LOCAL}:{endpoint.port}@127.0.0.1:{port}"
        command = [str(Path(sys.executable).with_name("mitmdump")), "-s", str(other), "-s", "addon/hunyuan_fix.py"]
        options = [f"confdir={trust.confdir}", f"hunyuan_hosts={LOCAL}", "hunyuan_store=memory"]
        for one in options:
            command += ["--set", one]
        with process("mitmdump", [*command, "--mode", mode]) as started:
            await asyncio.to_thread(started.wait_for, "listening at")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", trust_env=False, timeout=30) as client:
                body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
                answer = await client.post("/chat/completions", json=body)
        output = started.output
    assert answer.status_code == 200
    assert answer.headers["x-hunyuan-fix"] == "parameters"
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if "hunyuan_fast_dispatch" in line]
    assert len(lines) == (1 if said else 0)
    assert said is None or said in lines[0]


async def test_after_a_hot_reload_of_a_real_mitmdump_events_are_still_dispatched_fast(trust: Trust, tmp_path: Path):
    shutil.copytree(ROOT / "addon", tmp_path / "addon", ignore=shutil.ignore_patterns("__pycache__"))
    script, other = tmp_path / "addon/hunyuan_fix.py", tmp_path / "other.py"
    other.write_text(
        "from mitmproxy.addonmanager import AddonManager\n"
        "def response(flow):\n    print('dispatched by', AddonManager.trigger_event.__module__, flush=True)\n",
        encoding="utf-8",
    )
    port = free_port()
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = chat_answer("hi")
        command = [str(Path(sys.executable).with_name("mitmdump")), "-s", str(script), "-s", str(other)]
        command += ["--mode", f"reverse:http://{LOCAL}:{endpoint.port}@127.0.0.1:{port}"]
        for one in (f"confdir={trust.confdir}", f"hunyuan_hosts={LOCAL}", "hunyuan_store=memory"):
            command += ["--set", one]
        with process("mitmdump", command) as started:
            await asyncio.to_thread(started.wait_for, "listening at")
            new = script.with_suffix(".new")
            new.write_text(script.read_text(encoding="utf-8") + 'print("loaded anew", flush=True)\n', encoding="utf-8")
            later = script.stat().st_mtime + 10
            os.utime(new, (later, later))
            new.replace(script)
            await asyncio.to_thread(started.wait_for, "loaded anew")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", trust_env=False, timeout=30) as client:
                assert (await client.get("/models")).status_code == 200
            said = await asyncio.to_thread(started.wait_for, r"dispatched by (\S+)")
    assert said[1].endswith("mitmproxy_internals.dispatch")
