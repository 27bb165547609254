"""Real clients, and Nodes of other ages, before the stand-in for the proxy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from hunyuan_fix.cli import client_setup
from hunyuan_fix.cli.doctor import clients, trial
from hunyuan_fix.cli.doctor.situation import Finding
from hunyuan_fix.hooks import authority
from tests.cli.doctor.situations import situation
from tests.end_to_end.processes import Certificates


def test_what_clients_lack_is_a_problem_only_where_they_use_the_proxy(certificates: Certificates) -> None:
    for check in (clients.curl, clients.python):
        for given, result in (({}, "warning"), ({"HTTPS_PROXY": "http://127.0.0.1:8080"}, "problem")):
            finding = check(situation(certificates, **given))
            assert finding is not None
            assert finding.result == result
            assert finding.found == "doesn't trust the proxy's CA: SSL_CERT_FILE isn't set"
            assert 'eval "$(scripts/env' in finding.advice


def test_the_variable_that_is_to_blame_is_named(certificates: Certificates, tmp_path: Path) -> None:
    client_setup.write_bundle(certificates.confdir)
    bundle, other = str(authority.bundle_file(certificates.confdir)), str(certificates.authority_file)
    missing = str(tmp_path / "missing.pem")
    stronger = clients.curl(situation(certificates, SSL_CERT_FILE=bundle, CURL_CA_BUNDLE=other))
    assert stronger is not None
    assert f"CURL_CA_BUNDLE names {other}, which does not hold it" in stronger.found
    gone = clients.python(situation(certificates, SSL_CERT_FILE=missing))
    assert gone is not None
    assert f"SSL_CERT_FILE names {missing}: No such file" in gone.found
    useless = clients.python(situation(certificates, REQUESTS_CA_BUNDLE=bundle))
    assert useless is not None
    assert "REQUESTS_CA_BUNDLE serves the library requests only" in useless.found


def test_the_proxys_ca_alone_is_not_enough(certificates: Certificates) -> None:
    finding = clients.python(situation(certificates, SSL_CERT_FILE=str(certificates.proxy_ca)))
    assert finding is not None
    assert finding.result == "warning"
    assert "nothing else" in finding.found


def test_a_client_that_hangs_or_does_nothing_is_given_up(certificates: Certificates) -> None:
    context = trial.server_context(certificates.confdir)
    hang = [sys.executable, "-c", "import time; time.sleep(600)"]
    assert trial.visit(lambda _: hang, os.environ, context, timeout=0.2) is None


# A Node of any age, for the machine has but one. It does what real ones do (docs/facts/clients.md#environment).
NODE = """#!{python}
import os, ssl, sys, urllib.request
if "--version" in sys.argv:
    sys.exit(print("{version}"))
url, honours = sys.argv[-1], {honours} and os.environ.get("NODE_USE_ENV_PROXY") == "1"
context = ssl.create_default_context(cafile=os.environ.get("NODE_EXTRA_CA_CERTS"))
handlers = [urllib.request.HTTPSHandler(context=context)]
if not honours:
    handlers.append(urllib.request.ProxyHandler({{}}))
try:
    urllib.request.build_opener(*handlers).open(url)
except OSError:
    pass
"""


def node(folder: Path, version: str, *, honours: bool) -> dict[str, str]:
    """A Node of `version`; the variables that make it the one that is found."""
    program = folder / "node"
    program.write_text(NODE.format(python=sys.executable, version=version, honours=honours))
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_node_that_honours_proxies(certificates: Certificates, tmp_path: Path) -> None:
    path = node(tmp_path, "v24.19.0", honours=True)
    trust, switch = {"NODE_EXTRA_CA_CERTS": str(certificates.proxy_ca)}, {"NODE_USE_ENV_PROXY": "1"}
    in_use = {"HTTPS_PROXY": "http://127.0.0.1:8080"}
    good = clients.node(situation(certificates, **path, **trust, **switch))
    assert good == Finding("node-client/ok", "ok", "uses HTTPS_PROXY and trusts the proxy's CA")
    past = clients.node(situation(certificates, **path, **trust, **in_use))
    assert past is not None
    assert (past.result, past.found) == ("problem", "goes past the proxy: NODE_USE_ENV_PROXY=1 isn't set")
    distrusts = clients.node(situation(certificates, **path, **switch))
    assert distrusts is not None
    assert distrusts.found == "doesn't trust the proxy's CA: NODE_EXTRA_CA_CERTS isn't set"


def test_a_node_that_ignores_proxies(certificates: Certificates, tmp_path: Path) -> None:
    path = node(tmp_path, "v20.20.2", honours=False)
    switch = {"NODE_USE_ENV_PROXY": "1", "HTTPS_PROXY": "http://127.0.0.1:8080"}
    finding = clients.node(situation(certificates, **path, **switch))
    assert finding is not None
    assert finding.result == "warning"
    assert finding.found.startswith("v20.20.2 knows no HTTPS_PROXY")
    assert "doesn't trust the proxy's CA" in finding.found
    trusting = clients.node(situation(certificates, **path, NODE_EXTRA_CA_CERTS=str(certificates.proxy_ca)))
    assert trusting is not None
    assert "doesn't trust" not in trusting.found


def test_this_machines_node(certificates: Certificates) -> None:
    program = shutil.which("node")
    trust = {"NODE_EXTRA_CA_CERTS": str(certificates.proxy_ca), "NODE_USE_ENV_PROXY": "1"}
    finding = clients.node(situation(certificates, **trust))
    if program is None:
        assert finding is None
        return
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    major, minor = (int(number) for number in version.strip().removeprefix("v").split(".")[:2])
    honours = major >= 24 or (major, minor) >= (22, 21)
    assert finding is not None
    assert finding.result == ("ok" if honours and major != 23 else "warning")
