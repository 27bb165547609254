"""deploy/compose: the schema of compose files, and what that doesn't see."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.deploy import deployments as read
from tests.deploy.compose import FILE, compose
from tests.deploy.programs import BIN, ROOT, judged
from tests.deploy.queries import RULES
from tests.observe.alerts.promtool import found

SERVICES = compose()["services"]
PROMETHEUS = FILE.with_name("prometheus.yml")


def test_it_is_valid_by_the_schema_of_compose_files() -> None:
    assert "ok" in judged(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)


def test_it_has_what_it_is_for() -> None:
    assert [*SERVICES] == ["proxy", "redis", "prometheus", "grafana"]


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_names_is_there(service: str) -> None:
    """Networks, volumes, secrets, other services, and files beside the compose file."""
    told = SERVICES[service]
    assert {*told["networks"]} <= compose()["networks"].keys()
    assert {*told.get("secrets", ())} <= compose()["secrets"].keys()
    assert {*told.get("depends_on", ())} <= SERVICES.keys()
    for mount in told.get("volumes", ()):
        source = mount.partition(":")[0]
        if source.startswith("."):
            assert (FILE.parent / source).exists(), source
            assert mount.endswith(":ro")
        else:
            assert source in compose()["volumes"]


def test_nothing_is_declared_that_nobody_uses() -> None:
    for kind in ("networks", "secrets"):
        assert compose()[kind].keys() == {name for each in SERVICES.values() for name in each.get(kind, ())}
    mounted = {mount.partition(":")[0] for each in SERVICES.values() for mount in each.get("volumes", ())}
    assert compose()["volumes"].keys() == {source for source in mounted if not source.startswith(".")}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_no_more_than_it_must(service: str) -> None:
    told = SERVICES[service]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["restart"] == "unless-stopped"
    assert not told.get("privileged")
    assert {*told["logging"]["options"]} == {"max-size", "max-file"}


def test_the_image_is_built_from_the_clone() -> None:
    build = SERVICES["proxy"]["build"]
    context = (FILE.parent / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).resolve() == read.DOCKERFILE


def test_the_proxys_disk_is_its_volume() -> None:
    proxy = SERVICES["proxy"]
    assert proxy["read_only"] is True
    assert proxy["tmpfs"] == ["/tmp"]
    assert f"data:{read.last_stage()['VOLUME']}" in proxy["volumes"]


def test_clients_reach_the_proxy_and_only_this_machine_all_else() -> None:
    assert SERVICES["proxy"]["ports"][:2] == ["4000:4000", "8080:8080"]
    others = [port for service in SERVICES.values() for port in service.get("ports", ())][2:]
    assert others == ["127.0.0.1:9464:9464", "127.0.0.1:9090:9090", "127.0.0.1:3000:3000"]
    assert "ports" not in SERVICES["redis"]


def test_only_the_proxy_reaches_redis() -> None:
    host = re.match(r"redis://([\w-]+):", read.composed().environment["HUNYUAN_STORE"])
    assert host and host[1] == "redis"
    assert SERVICES["redis"]["networks"] == ["store"]
    assert compose()["networks"]["store"] == {"internal": True}
    assert [name for name, each in SERVICES.items() if "store" in each["networks"]] == ["proxy", "redis"]
    assert SERVICES["proxy"]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert SERVICES["redis"]["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]


def test_secrets_are_files_and_readable_for_who_needs_them() -> None:
    """They are root's and a group's: the proxy's own, which the others get."""
    group = read.last_stage()["USER"].partition(":")[2]
    for name, each in SERVICES.items():
        if "secrets" in each and name != "proxy":
            assert each["group_add"] == [group]
    for name, told in compose()["secrets"].items():
        assert told == {"file": f"./secrets/{name}"}
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana-password"


def test_no_secret_gets_into_a_commit(tmp_path: Path) -> None:
    assert (FILE.parent / "secrets/.gitignore").read_text("utf-8").split() == ["*", "!.gitignore"]


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """With the files where the compose file mounts them: its judge opens them."""
    prometheus = SERVICES["prometheus"]
    mounted = {
        target: FILE.parent / source for source, target, *_ in (each.split(":") for each in prometheus["volumes"])
    }
    folder = tmp_path / "etc/prometheus"
    folder.mkdir(parents=True)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in prometheus["secrets"]:
        (secrets / name).write_text("t" * 64)
    for target, source in mounted.items():
        if target.startswith("/etc/prometheus/"):
            text = source.read_text("utf-8").replace("/run/secrets/", f"{secrets}/")
            (folder / target.removeprefix("/etc/prometheus/")).write_text(text, "utf-8")
    said = found(folder)("check", "config", "prometheus.yml")
    assert "1 rule files found" in said
    assert "--config.file=/etc/prometheus/prometheus.yml" in prometheus["command"]
    assert mounted["/etc/prometheus/hunyuan-fix.rules.yml"].resolve() == RULES


def test_prometheus_asks_the_proxy_by_a_name_that_this_hears() -> None:
    (job,) = YAML(typ="safe", pure=True).load(PROMETHEUS.read_text("utf-8"))["scrape_configs"]
    assert job["job_name"] == "hunyuan-fix"
    (target,) = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert host in SERVICES
    assert host in read.composed().environment["HUNYUAN_ADMIN_HOSTS"].split(",")
    assert read.composed().environment["HUNYUAN_ADMIN"].endswith(f":{port}")
    assert {*SERVICES[host]["networks"]} & {*SERVICES["prometheus"]["networks"]}
    assert job["authorization"] == {"credentials_file": "/run/secrets/admin-token"}
    assert "admin-token" in SERVICES["prometheus"]["secrets"]


def test_a_fault_is_found_by_the_schema(tmp_path: Path) -> None:
    broken = json.loads(json.dumps(compose()))
    broken["services"]["proxy"]["stop_grace"] = broken["services"]["proxy"].pop("stop_grace_period")
    (tmp_path / "compose.json").write_text(json.dumps(broken))
    with pytest.raises(AssertionError, match="stop_grace"):
        judged(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", tmp_path / "compose.json")
