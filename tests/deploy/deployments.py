"""What each way of running the proxy starts: one shape for the image, compose, Kubernetes, systemd and supervisor.

Paths are those of the machine or container that the file is for.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ruamel.yaml import YAML
from supervisor.options import dict_of_key_value_pairs

from tests.deploy.compose import compose
from tests.deploy.programs import DEPLOY

DOCKERFILE = DEPLOY / "Dockerfile"
UNIT = DEPLOY / "systemd/hunyuan-fix.service"
PROGRAM = DEPLOY / "supervisor/hunyuan-fix.conf"
KUBERNETES = DEPLOY / "kubernetes"


@dataclass(frozen=True)
class Deployment:
    """A process: the program's arguments, the variables that it gets, seconds from SIGTERM to SIGKILL."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    grace: float
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Files that are there before it starts: path -> the name of what is in it."""
    before: float = 0.0
    """Seconds of `grace` that pass before SIGTERM."""


# The image


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, in order: the word, and what follows it, on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word]


@cache
def last_stage() -> Mapping[str, str]:
    """The instructions of the image that is run; of several alike the last."""
    every = instructions(DOCKERFILE.read_text("utf-8"))
    last = max(number for number, (word, _) in enumerate(every) if word == "FROM")
    return dict(every[last:])


def of_image() -> Mapping[str, str]:
    """The variables of the image."""
    pairs = (word.partition("=") for word in shlex.split(last_stage()["ENV"]))
    return {name: value for name, _, value in pairs}


def healthcheck() -> list[str]:
    """The command by which Docker looks whether the container is healthy."""
    command: list[str] = json.loads(last_stage()["HEALTHCHECK"].partition("CMD ")[2])
    return command


def image() -> Deployment:
    """The image as it is, under `docker run`: Docker waits 10 seconds if nobody says otherwise."""
    assert json.loads(last_stage()["ENTRYPOINT"]) == ["hunyuan-fix"]
    return Deployment("image", json.loads(last_stage()["CMD"]), of_image(), 10)


# compose


def composed() -> Deployment:
    """The service `proxy`."""
    service = compose()["services"]["proxy"]
    files = {f"/run/secrets/{name}": name for name in service["secrets"]}
    environment = {**of_image(), **service["environment"]}
    return Deployment("compose", service["command"], environment, seconds(service["stop_grace_period"]), files)


def seconds(text: str) -> float:
    """A duration of compose: whole seconds alone."""
    assert re.fullmatch(r"\d+s", text), text
    return float(text[:-1])


# Kubernetes


@cache
def objects() -> list[dict[str, Any]]:
    """All of deploy/kubernetes."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # as kubectl reads it: 0440 is octal
    texts = [path.read_text("utf-8") for path in sorted(KUBERNETES.glob("*.yaml"))]
    return [found for text in texts for found in yaml.load_all(text)]


def the(kind: str, name: str = "hunyuan-fix") -> dict[str, Any]:
    """The one object of this kind and name."""
    (found,) = (each for each in objects() if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pod() -> dict[str, Any]:
    """The specification of a pod of the proxy."""
    specification: dict[str, Any] = the("Deployment")["spec"]["template"]["spec"]
    return specification


def container() -> dict[str, Any]:
    """Its one container."""
    (one,) = pod()["containers"]
    found: dict[str, Any] = one
    return found


def in_kubernetes() -> Deployment:
    """A pod of the proxy. A variable that is a reference to a Secret has its key as its value."""
    own = {
        each["name"]: each["value"] if "value" in each else each["valueFrom"]["secretKeyRef"]["key"]
        for each in container()["env"]
    }
    files = {}
    mounts = {each["name"]: each["mountPath"] for each in container()["volumeMounts"]}
    for volume in pod()["volumes"]:
        for item in volume.get("secret", {}).get("items", ()):
            files[f"{mounts[volume['name']]}/{item['path']}"] = item["key"]
    sleep, before = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    environment = {**of_image(), **own}
    grace = pod()["terminationGracePeriodSeconds"]
    return Deployment("kubernetes", container()["args"], environment, grace, files, float(before))


# systemd


def settings(text: str) -> Iterator[tuple[str, str]]:
    """The settings of a unit, in order, each as often as it is given."""
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith(("#", ";")):
            yield name, value


def by_systemd() -> Deployment:
    """The service, with the places that systemd puts in for `%S` and `%d`."""
    all_of_them = [*settings(UNIT.read_text("utf-8"))]
    places = {"%S": "/var/lib", "%d": "/run/credentials/hunyuan-fix.service"}

    def placed(text: str) -> str:
        for specifier, place in places.items():
            text = text.replace(specifier, place)
        assert "%" not in text
        return text

    one = dict(all_of_them)
    given = [placed(word) for name, value in all_of_them if name == "Environment" for word in shlex.split(value)]
    environment = {name: value for name, _, value in (word.partition("=") for word in given)}
    loaded = [value.partition(":") for name, value in all_of_them if name == "LoadCredential"]
    files = {f"{places['%d']}/{name}": name for name, _, _ in loaded}
    program, *arguments = shlex.split(one["ExecStart"])
    assert program == "/opt/hunyuan-fix/bin/hunyuan-fix"
    return Deployment("systemd", arguments, environment, float(one["TimeoutStopSec"]), files)


# supervisor


def program() -> Mapping[str, str]:
    """The program's section."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(PROGRAM, "utf-8")
    return dict(parser["program:hunyuan-fix"])


def by_supervisor() -> Deployment:
    """The program of supervisor."""
    section = program()
    start, *arguments = shlex.split(section["command"])
    assert start == "/opt/hunyuan-fix/bin/hunyuan-fix"
    environment: dict[str, str] = dict_of_key_value_pairs(section["environment"])
    files = {f"/etc/hunyuan-fix/{name}": name for name in ("api-key", "admin-token")}
    return Deployment("supervisor", arguments, environment, float(section["stopwaitsecs"]), files)


def deployments() -> list[Deployment]:
    """All that run the proxy for a team."""
    return [composed(), in_kubernetes(), by_systemd(), by_supervisor()]
