"""deploy/kubernetes: the schemas of Kubernetes, what its restricted policy demands, and that names meet."""

from __future__ import annotations

import copy
import re
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy import deployments as read
from tests.deploy.programs import ROOT

OBJECTS = read.objects()
VERSIONS = ("1.29", "1.37")
"""From the oldest that the files are for to the newest whose schemas are known."""
DEPLOYMENTS = [each for each in OBJECTS if each["kind"] == "Deployment"]

each = pytest.mark.parametrize("found", OBJECTS, ids=lambda found: f"{found['kind']}-{found['metadata']['name']}")
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda found: str(found["metadata"]["name"]))


@pytest.mark.parametrize("version", VERSIONS)
@each
def test_it_is_valid_by_the_schema(found: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(found, version, strict=True)


def test_a_fault_is_found_by_the_schema() -> None:
    broken = copy.deepcopy(read.the("Deployment"))
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 90
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_there_is_what_a_proxy_needs() -> None:
    ours = [each["kind"] for each in OBJECTS if each["metadata"]["name"] == "hunyuan-fix"]
    assert sorted(ours) == [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
    ]
    assert not [each for each in OBJECTS if each["kind"] == "Secret"], "a Secret in a file ends up in a commit"


@each_deployment
def test_the_restricted_policy_is_kept(deployment: dict[str, Any]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a disk that is read only."""
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all({*volume} - {"name"} <= {"emptyDir", "configMap", "secret"} for volume in pod["volumes"])
    for one in pod["containers"]:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["resources"].keys() == {"requests", "limits"}
        assert all(of.keys() == {"cpu", "memory"} for of in one["resources"].values())


@each_deployment
def test_selectors_and_mounts_meet(deployment: dict[str, Any]) -> None:
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    volumes = {volume["name"] for volume in template["spec"]["volumes"]}
    assert volumes == {mount["name"] for one in template["spec"]["containers"] for mount in one["volumeMounts"]}
    services = [each for each in OBJECTS if each["kind"] == "Service" and each["spec"]["selector"] == labels]
    ports = {port["name"]: port["containerPort"] for one in template["spec"]["containers"] for port in one["ports"]}
    told = {port["targetPort"]: port["port"] for service in services for port in service["spec"]["ports"]}
    assert told == ports


def test_the_user_is_the_images_and_its_group_may_read_secrets() -> None:
    user, _, group = read.last_stage()["USER"].partition(":")
    context = read.pod()["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (int(user), int(group), int(group))
    (secret,) = (volume["secret"] for volume in read.pod()["volumes"] if "secret" in volume)
    assert secret["defaultMode"] == 0o440


def test_probes_ask_the_admin_server() -> None:
    container = read.container()
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: get["path"] for name, get in asked.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    address = read.in_kubernetes().environment["HUNYUAN_ADMIN"]
    assert {ports[get["port"]] for get in asked.values()} == {int(address.rpartition(":")[2])}


def test_one_secret_has_all_keys() -> None:
    """Those that the files of the volume are made of, and those that are variables."""
    (secret,) = (volume["secret"] for volume in read.pod()["volumes"] if "secret" in volume)
    references = [
        variable["valueFrom"]["secretKeyRef"]
        for deployment in DEPLOYMENTS
        for one in deployment["spec"]["template"]["spec"]["containers"]
        for variable in one["env"]
        if "valueFrom" in variable
    ]
    assert {secret["secretName"], *(each["name"] for each in references)} == {"hunyuan-fix"}
    keys = {item["key"] for item in secret["items"]} | {each["key"] for each in references}
    assert keys == {"api-key", "admin-token", "clients.toml", "seal-keys", "redis-password"}
    for page in ("operations.md", "operations.zh-CN.md"):
        told = (ROOT / "docs" / page).read_text("utf-8")
        assert {*re.findall(r"--from-file=(\S+)", told)} == keys


def test_config_and_data_are_mounted_where_they_are_looked_for() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in read.container()["volumeMounts"]}
    assert mounts["data"] == read.last_stage()["VOLUME"]
    assert mounts["tmp"] == "/tmp"
    config = read.in_kubernetes().environment["HUNYUAN_CONFIG"]
    (source,) = (volume["configMap"] for volume in read.pod()["volumes"] if "configMap" in volume)
    assert config in [f"{mounts['config']}/{file}" for file in read.the("ConfigMap", source["name"])["data"]]


def test_pods_scale_and_leave_one_by_one() -> None:
    scaler = read.the("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "hunyuan-fix"}
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in read.the("Deployment")["spec"], "applying the file would undo what the scaler has set"
    assert read.the("PodDisruptionBudget")["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": read.the("Deployment")["spec"]["selector"]["matchLabels"]},
    }


def test_networks_let_through_what_is_needed_and_nothing_else() -> None:
    policy = read.the("NetworkPolicy")["spec"]
    redis = read.the("NetworkPolicy", "hunyuan-fix-redis")["spec"]
    ours = read.the("Deployment")["spec"]["selector"]
    theirs = read.the("Deployment", "hunyuan-fix-redis")["spec"]["selector"]
    assert (policy["podSelector"], redis["podSelector"]) == (ours, theirs)
    assert policy["policyTypes"] == redis["policyTypes"] == ["Ingress", "Egress"]
    ports = {port["containerPort"] for port in read.container()["ports"]}
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == ports
    to_redis = [rule for rule in policy["egress"] if rule["to"] == [{"podSelector": theirs}]]
    assert [port["port"] for rule in to_redis for port in rule["ports"]] == [6379]
    assert [rule["from"] for rule in redis["ingress"]] == [[{"podSelector": ours}]]
    assert "egress" not in redis
    (outside,) = (rule for rule in policy["egress"] if "ipBlock" in rule["to"][0])
    assert [port["port"] for port in outside["ports"]] == [443]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= {*outside["to"][0]["ipBlock"]["except"]}


def test_redis_is_the_one_that_the_proxy_asks() -> None:
    host = read.in_kubernetes().environment["HUNYUAN_STORE"].removeprefix("redis://").partition(":")[0]
    assert read.the("Service", host)["spec"]["ports"][0]["port"] == 6379
