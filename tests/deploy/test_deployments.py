"""What holds for each way of running the proxy: its options exist, tokens are demanded, SIGKILL comes late enough."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

from hunyuan_fix import options
from hunyuan_fix.cli import launch
from hunyuan_fix.cli.addresses import PORT, REVERSE_PORT
from hunyuan_fix.config import config_file, environment
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.observe.admin.settings import PORT as ADMIN_PORT
from hunyuan_fix.options import OPTIONS, Settings
from tests.deploy import deployments as read
from tests.deploy.compose import compose
from tests.deploy.deployments import Deployment
from tests.deploy.programs import DEPLOY, ROOT

ALL = read.deployments()
each = pytest.mark.parametrize("deployment", ALL, ids=lambda deployment: deployment.name)
each_and_the_image = pytest.mark.parametrize("deployment", [*ALL, read.image()], ids=lambda deployment: deployment.name)
KNOWN = {option.name: option.default for option in OPTIONS}
MARGIN = 15.0
"""Seconds that the end may take beyond `hunyuan_drain_timeout`: what is cut is told so, stores are closed."""

CONFIGS: Mapping[str, str] = {
    "compose": (DEPLOY / "compose/config/hunyuan.yaml").read_text("utf-8"),
    "kubernetes": read.the("ConfigMap")["data"]["hunyuan.yaml"],
}
"""The file of options, by where it is for; without its commented examples, and with them."""


def given(deployment: Deployment) -> Settings:
    values = environment.read(deployment.environment, OPTIONS)
    assert values.problems == []
    return options.parse(values.values)


@each_and_the_image
def test_each_variable_is_an_option_and_has_a_value_that_it_takes(deployment: Deployment) -> None:
    assert environment.read(deployment.environment, OPTIONS).notes == []
    assert given(deployment) != options.parse({})
    for name in deployment.environment:
        assert not name.startswith("HUNYUAN_") or name.lower() in KNOWN or name in environment.OTHERS


@each_and_the_image
def test_the_command_is_one_that_run_takes_with_the_usual_ports(deployment: Deployment) -> None:
    command, *arguments = deployment.arguments
    assert command == "run"
    started = launch.parse(arguments, "hunyuan-fix ")
    assert started.arguments == ()  # what `run` doesn't know would go on to mitmproxy
    assert (started.host, started.port, started.reverse_port) == ("0.0.0.0", PORT, REVERSE_PORT)
    # Another port than the one that others are told must end the start.
    assert {"--port", "--reverse-port"} <= started.chosen


@each
def test_how_many_workers_there_are(deployment: Deployment) -> None:
    """In Kubernetes one process in a pod, whose answers the others must find; `--workers` keeps them so by itself."""
    if deployment.name == "kubernetes":
        assert "--workers" not in deployment.arguments
        assert given(deployment).keep == "store"
    else:
        assert [*deployment.arguments[-2:]] == ["--workers", "2"]


@each_and_the_image
def test_tokens_are_demanded(deployment: Deployment) -> None:
    """From clients, wherever they are, and from who looks at the admin server."""
    settings = given(deployment)
    assert settings.client_tokens_file is not None
    assert settings.trust_loopback is False
    assert settings.admin is not None
    assert not settings.admin.is_local
    assert settings.admin.port == ADMIN_PORT


@each
def test_keys_come_by_file(deployment: Deployment) -> None:
    settings = given(deployment)
    files = {PurePosixPath(path) for path in deployment.secrets}
    for file in (settings.api_key_file, settings.admin_token_file):
        assert file is not None
        assert PurePosixPath(file.as_posix()) in files
    secret = {"HUNYUAN_API_KEY", "HUNYUAN_ADMIN_TOKEN", "HUNYUAN_ALERT_WEBHOOK"}
    assert secret.isdisjoint(deployment.environment)


@each
def test_nobody_is_killed_while_requests_may_still_end(deployment: Deployment) -> None:
    drains = float(deployment.environment["HUNYUAN_DRAIN_TIMEOUT"])
    assert deployment.grace - deployment.before >= drains + MARGIN


@each
def test_workers_share_a_redis(deployment: Deployment) -> None:
    assert re.fullmatch(r"redis://[\w.-]+:6379/0", deployment.environment["HUNYUAN_STORE"])


@each_and_the_image
def test_what_is_kept_is_in_one_folder(deployment: Deployment) -> None:
    """The data folder of `platformdirs` is XDG_DATA_HOME/hunyuan-fix, mitmproxy's is in HOME."""
    home = PurePosixPath(deployment.environment["HOME"])
    data = PurePosixPath(deployment.environment["XDG_DATA_HOME"]) / "hunyuan-fix"
    assert home in (data, *data.parents)
    tokens = PurePosixPath(deployment.environment["HUNYUAN_CLIENT_TOKENS_FILE"])
    assert tokens == data / "clients.toml" or str(tokens) in deployment.secrets


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_the_file_of_options_is_one_with_its_examples_too(text: str) -> None:
    with_examples = re.sub(r"^# (?=\w+: )", "", text, flags=re.MULTILINE)
    assert with_examples != text
    values = {name: line.value for name, line in config_file.read(with_examples, KNOWN).items()}
    assert {"hunyuan_retry", "hunyuan_models"} <= values.keys()
    assert options.faults(values) == []
    assert config_file.read(text, KNOWN).keys() < values.keys()


def test_the_files_of_options_say_the_same() -> None:
    one, other = (re.sub(r"^# [A-Z].*\n|^# Comp.*\n", "", text, flags=re.MULTILINE) for text in CONFIGS.values())
    assert one == other


@each
def test_the_file_of_options_is_where_it_is_looked_for(deployment: Deployment) -> None:
    assert deployment.environment["HUNYUAN_CONFIG"] == "/etc/hunyuan-fix/hunyuan.yaml"


def test_images_are_pinned_and_ours_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    used = [service["image"] for service in compose()["services"].values()]
    for found in read.objects():
        if found["kind"] == "Deployment":
            used += [one["image"] for one in found["spec"]["template"]["spec"]["containers"]]
    froms = [rest for word, rest in read.instructions(read.DOCKERFILE.read_text("utf-8")) if word == "FROM"]
    used += [rest.partition(" ")[0] for rest in froms]
    assert used.count(f"hunyuan-fix:{version}") == 2
    assert len(used) >= 8
    for name in used:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-[\w.-]+)?", name), name
    by_name = [name.partition(":") for name in used]
    assert len({name for name, _, _ in by_name}) == len({*used}), "one image, two versions"


def test_a_value_that_an_option_refuses_is_found() -> None:
    wrong = Deployment("wrong", ["run"], {"HUNYUAN_DRAIN_TIMEOUT": "soon"}, 1)
    with pytest.raises(OptionError, match="hunyuan_drain_timeout"):
        given(wrong)
