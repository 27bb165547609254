"""Tencent Cloud's own SDKs: a conversation with a tool, streams, an image and vectors, by both ways into the proxy.

On TokenHub, in the place of the API that was shut down, and on an endpoint that speaks this API itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client_guides import read
from tests.clients.running import Client, Door, carry_out_at
from tests.clients.sdk_scripts import run
from tests.end_to_end.processes import KEY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator

NATIVE = "hunyuan.tencentcloudapi.com"
SECRET_ID, SECRET_KEY = "AKIDEXAMPLE", "a-secret-key"
FOUND = {
    "whole": ["hello", "stop", True],
    "streamed": ["one two three four", [""], "stop", True],
    "conversation": ["weather", {"city": "Shenzhen"}, True],
    "image": "seen",
    "vectors": [[0, 1024], [1, 1024]],
    "counted": [True, 3],
    "failing": ["MissingParameter", True],
}


@dataclass(frozen=True, slots=True)
class Before:
    """An endpoint, and the proxy before it."""

    endpoint: Simulator
    proxy: Proxy


@pytest.fixture(scope="module", params=["tokenhub", "native"])
def before(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Before]:
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(f'[secrets.{SECRET_ID}]\nsecret_key = "{SECRET_KEY}"\nclient = "shop"\n')
    secrets.chmod(0o600)
    native = request.param == "native"
    host = NATIVE if native else TOKENHUB
    given = ("--native", "--secret", f"{SECRET_ID}|{SECRET_KEY}") if native else ()
    upstream = f"https://{NATIVE}" if native else "successor"
    options = (
        *("--set", f"hunyuan_tencent_secrets_file={secrets}"),
        *("--set", f"hunyuan_upstream={upstream}"),
    )
    with (
        run_simulator(certificates, *given, hosts=[host], profile="hunyuan" if native else "tokenhub") as endpoint,
        run_proxy(
            certificates, {f"{host}:443": endpoint.port}, *options, environment={"HUNYUAN_API_KEY": KEY}
        ) as proxy,
    ):
        yield Before(endpoint, proxy)


@pytest.fixture(params=["proxy", "reverse"])
def way(request: pytest.FixtureRequest, before: Before) -> str:
    """The way in, as the scripts take it."""
    before.endpoint.reset()
    known = {"id": SECRET_ID, "key": SECRET_KEY}
    if request.param == "proxy":
        return json.dumps({**known, "proxy": before.proxy.url, "ca": str(before.proxy.certificates.proxy_ca)})
    return json.dumps({**known, "endpoint": f"127.0.0.1:{before.proxy.reverse_port}"})


def assert_answered(before: Before) -> None:
    """By the endpoint, and for the client that has signed."""
    assert {request["status"] for request in before.endpoint.requests()} == {200}
    assert "client=shop" in before.proxy.process.output


def test_the_python_sdk(before: Before, way: str, tmp_path: Path) -> None:
    assert run(tmp_path, "tencentcloud_python.py", way, "hunyuan-turbos-latest") == FOUND
    assert_answered(before)


def test_the_node_sdk(before: Before, way: str, tmp_path: Path) -> None:
    trusted = {"NODE_EXTRA_CA_CERTS": str(before.proxy.certificates.proxy_ca)}
    found = run(tmp_path, "tencentcloud_node.mjs", way, "hunyuan-turbos-latest", environment=trusted)
    assert found == {**FOUND, "separators": True}
    assert_answered(before)


@pytest.mark.parametrize("before", ["tokenhub"], indirect=True)
def test_the_proof_of_the_guide(before: Before, tmp_path: Path) -> None:
    client = Client("tencentcloud-sdk")
    done = carry_out_at(Door({}, before.proxy.reverse_port), client, tmp_path, client.directive(tmp_path))
    assert done.code == 0, done.output
    assert "工具返回" in done.output
    assert done.output.rstrip().endswith(read("tencentcloud-sdk").printed), done.output
