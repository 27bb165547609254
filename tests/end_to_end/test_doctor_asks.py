"""`doctor` beside a proxy that runs: it finds it, asks where calls go, and alarms nobody about what isn't in use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.texts import terminal
from scripts.lib.processes import free_port
from tests.cli.shell_environment import environment, run
from tests.end_to_end.processes import LEGACY, TOKENHUB, Certificates, Simulator, run_proxy, run_simulator
from tests.end_to_end.test_run import launched


@pytest.fixture(scope="module")
def endpoint(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, profile="tokenhub") as running:
        yield running


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    terminal.use("en")


def findings(home: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = run("doctor", "--json", *arguments, given=environment(home, **variables))
    assert done.stderr == ""
    return done.returncode, {one["id"]: one for one in json.loads(done.stdout)["findings"]}


def with_result(found: dict[str, dict[str, Any]], *results: str) -> list[str]:
    return [id_ for id_, one in found.items() if one["result"] in results]


def test_a_user_of_the_reverse_port_without_any_variable(endpoint: Simulator, tmp_path: Path) -> None:
    """The ports are not the usual ones, and nothing is said of the old platform, certificates or variables."""
    host = endpoint.base_url.partition("://")[2].partition("/")[0]
    with launched(tmp_path, "--upstream", endpoint.base_url, SHELL="/bin/bash") as (_, port, reverse_port):
        endpoint.reset()
        status, found = findings(tmp_path)
        person = run("doctor", given=environment(tmp_path))
        chinese = run("doctor", given=environment(tmp_path, HUNYUAN_LANGUAGE="zh"))
    assert (status, with_result(found, "warning", "problem")) == (0, [])
    assert [*found][:3] == ["proxy/ok", "reverse/ok", "endpoint/ok"]
    assert f"127.0.0.1:{port}" in found["proxy/ok"]["found"]
    assert f"http://127.0.0.1:{reverse_port}/v1" in found["reverse/ok"]["found"]
    assert host in found["endpoint/ok"]["found"]
    assert "HTTP 401" in found["endpoint/ok"]["found"]
    assert with_result(found, "info") == ["proxy-mode/off"]
    assert person.stdout.splitlines()[-1] == "no problems, no warnings"
    assert "hunyuan.cloud" not in json.dumps(found) + person.stdout
    assert chinese.stdout.splitlines()[-1] == "没有问题，也没有警告"
    requests = endpoint.requests()
    assert {(request["method"], request["path"]) for request in requests} == {("GET", "/v1/models")}
    assert not any("authorization" in request["headers"] for request in requests)


def test_a_user_of_https_proxy(endpoint: Simulator, tmp_path: Path) -> None:
    with launched(tmp_path, "--upstream", endpoint.base_url) as (_, port, _):
        confdir = tmp_path / ".mitmproxy"
        given = {
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "SSL_CERT_FILE": str(confdir / "hunyuan-fix-ca-bundle.pem"),
            "NODE_EXTRA_CA_CERTS": str(confdir / "mitmproxy-ca-cert.pem"),
            "NODE_USE_ENV_PROXY": "1",
            "OPENAI_BASE_URL": f"https://{LEGACY}/v1",  # the proxy sends that on: no fault
        }
        status, found = findings(tmp_path, **given)
        without = findings(tmp_path, HTTPS_PROXY=given["HTTPS_PROXY"])[1]
        reverse = findings(tmp_path, "--reverse", **{**given, "OPENAI_BASE_URL": ""})
        upstream = ("--reverse", "--upstream", endpoint.base_url)
        named = findings(tmp_path, *upstream, **{**given, "OPENAI_BASE_URL": ""})[1]
    assert status == 0
    assert not [id_ for id_ in with_result(found, "warning", "problem") if not id_.startswith("node-client")]
    assert {"decryption/ok", "https-proxy/ok", "no-proxy/ok", "python-client/ok"} <= {*found}
    assert without["python-client/untrusting"]["result"] == "problem"
    assert reverse[0] == 0
    assert "proxy-mode/off" in reverse[1]
    for one in (reverse[1], named):
        assert not [id_ for id_ in one if id_.startswith(("decryption", "https-proxy", "python-client", "store"))]


def test_a_base_url_that_leads_past_the_proxy(endpoint: Simulator, tmp_path: Path) -> None:
    with launched(tmp_path, "--upstream", endpoint.base_url) as (_, port, reverse_port):
        past = findings(tmp_path, OPENAI_BASE_URL=f"https://{TOKENHUB}/v1")[1]
        wrong = findings(tmp_path, OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1")[1]
        right = findings(tmp_path, OPENAI_BASE_URL=f"http://127.0.0.1:{reverse_port}/v1")
        other_proxy = findings(tmp_path, HTTP_PROXY="http://proxy.example:3128")[1]
        excepted = findings(tmp_path, HTTP_PROXY="http://proxy.example:3128", NO_PROXY="localhost,127.0.0.1")
    ours = f"export OPENAI_BASE_URL=http://127.0.0.1:{reverse_port}/v1"
    assert (past["base-url/past"]["result"], past["base-url/past"]["advice"]) == ("warning", ours)
    assert (wrong["base-url/proxy-port"]["result"], wrong["base-url/proxy-port"]["advice"]) == ("problem", ours)
    assert (right[0], with_result(right[1], "warning", "problem")) == (0, [])
    assert other_proxy["no-proxy/reverse-port"]["result"] == "warning"
    assert "127.0.0.1" in other_proxy["no-proxy/reverse-port"]["advice"]
    assert with_result(excepted[1], "warning", "problem") == []


def test_when_the_proxy_has_ended_that_is_said_first(endpoint: Simulator, tmp_path: Path) -> None:
    with launched(tmp_path, "--upstream", endpoint.base_url) as (started, _, _):
        started.terminate()
        assert started.wait() == 0
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]  # another test's may be at the usual ones
    done = run("doctor", *ports, given=environment(tmp_path))
    first, second = done.stdout.splitlines()[:2]
    assert first.split()[:2] == ["problem", "proxy"]
    assert "scripts/run" in second


def test_a_mitmdump_of_the_users_own_tells_its_upstream(certificates: Certificates, tmp_path: Path) -> None:
    """There is no file of `run`: the ports alone say that the old address is sent on to TokenHub."""
    upstream = f"hunyuan_upstream=https://{TOKENHUB}/v1"
    with (
        run_simulator(certificates, hosts=[TOKENHUB], profile="tokenhub") as simulator,
        run_proxy(certificates, {f"{TOKENHUB}:443": simulator.port}, "--set", upstream) as proxy,
    ):
        ports = ["--port", str(proxy.port), "--reverse-port", str(proxy.reverse_port)]
        confdir = ["--confdir", str(certificates.confdir)]
        status, found = findings(tmp_path, *ports, *confdir)
    assert status == 0
    assert found["endpoint/ok"]["found"] == f"TokenHub ({TOKENHUB}) answers and asks for a key (HTTP 401)"
    assert LEGACY not in json.dumps(found)
