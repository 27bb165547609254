"""Starts what a file of deploy/ starts, as near to it as a process on this machine can be.

Paths of the file lie below a folder of the test, ports are free ones, Redis and the endpoint are the test's. All else
is the file's: arguments, variables, the user who isn't root, the modes of secrets. As root the process is the image's
user and may write nowhere but in its data folder. It may read everything, since Python may lie in a folder of root's.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from hunyuan_fix.cli import token
from scripts.lib.processes import free_port
from tests.deploy import deployments as read
from tests.deploy.deployments import Deployment
from tests.deploy.programs import BIN, DEPLOY
from tests.end_to_end.processes import Process, clean_environment, process
from tests.redis_server import RedisServer

KEY = "sk-of-the-team"
ADMIN_TOKEN = "a" * 64
_PATIENCE = 100.0
"""Seconds until a proxy with two workers has started, on a machine that is busy with other tests."""
USER, GROUP = map(int, read.last_stage()["USER"].split(":"))


@dataclass(frozen=True)
class Machine:
    """A machine or a container with what the deployment needs before it starts: folders, files, free ports."""

    deployment: Deployment
    root: Path
    """Stands for `/`."""
    port: int
    reverse_port: int
    admin_port: int
    token: str
    """Of the client alice."""
    environment: Mapping[str, str]
    arguments: Sequence[str]

    @property
    def command(self) -> list[str]:
        """The program with its arguments, as the user who isn't root."""
        return [*as_user(), str(BIN / "hunyuan-fix"), *self.arguments]

    @property
    def data(self) -> Path:
        """What the process may write in."""
        return self.at(PurePosixPath(self.deployment.environment["HOME"]))

    def at(self, path: PurePosixPath | str) -> Path:
        """Where a path of the machine is."""
        return self.root / str(path).removeprefix("/")

    def admin(self, path: str, **headers: str) -> httpx.Response:
        """What the admin server answers."""
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        # Certificates, which aren't asked for here, take longer to load than all else.
        return httpx.get(url, headers=headers, trust_env=False, verify=False, timeout=30)

    def is_ready(self) -> bool:
        """Whether `/readyz` is 200; not where nobody listens."""
        try:
            return self.admin("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def looks_healthy(self) -> bool:
        """Whether Docker would find the container healthy: by the command of the image."""
        _, *words = read.healthcheck()
        words = [word.replace("9464", str(self.admin_port)) for word in words]
        # A proxy of the environment must not be asked.
        environment = {**clean_environment(), "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
        command = [str(BIN / "python"), *words]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def as_user() -> list[str]:
    """What stands before a command: another user, if this one is root."""
    if os.geteuid() != 0:
        return []
    may = "-all,+dac_read_search"
    rights = [f"--inh-caps={may}", f"--ambient-caps={may}", f"--bounding-set={may}"]
    return ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--no-new-privs", *rights]


def own(path: Path, mode: int, *, of_root: bool = False) -> None:
    """Give a file or folder to the process's user; or to root, and to the user's group, as secrets are handed over."""
    if os.geteuid() == 0:
        os.chown(path, 0 if of_root else USER, GROUP)
    elif of_root:
        mode &= 0o700
    path.chmod(mode)


def made(deployment: Deployment, root: Path, redis: RedisServer, upstream: str) -> Machine:
    """Make the folders and files that the documentation tells people to make."""
    root.chmod(0o755)
    given = deployment.environment
    ports = {"4000": free_port(), "8080": free_port(), "9464": free_port()}
    environment = dict(given)
    for name, value in given.items():
        if value.startswith("/") and name != "PATH":
            environment[name] = f"{root}{value}"
    environment["HUNYUAN_ADMIN"] = given["HUNYUAN_ADMIN"].replace("9464", str(ports["9464"]))
    environment["HUNYUAN_STORE"] = redis.url
    environment["HUNYUAN_UPSTREAM"] = upstream
    environment["PATH"] = os.environ["PATH"]
    environment.pop("HUNYUAN_REDIS_PASSWORD", None)
    machine = Machine(
        deployment,
        root,
        ports["8080"],
        ports["4000"],
        ports["9464"],
        "",
        environment,
        [str(ports.get(word, word)) for word in deployment.arguments],
    )
    # 1. The data folder: the process's own.
    machine.data.mkdir(parents=True)
    folder = machine.at(given["XDG_DATA_HOME"]) / "hunyuan-fix"
    folder.mkdir(exist_ok=True)
    for each in {machine.data, folder}:
        own(each, 0o700)
    # 2. The tokens: in the data folder or among the secrets.
    tokens = machine.at(given["HUNYUAN_CLIENT_TOKENS_FILE"])
    tokens.parent.mkdir(parents=True, exist_ok=True)
    of_alice = token.add(tokens, "alice", None, None)
    own(tokens, 0o440 if str(given["HUNYUAN_CLIENT_TOKENS_FILE"]) in deployment.secrets else 0o600)
    # 3. Secrets: root's, and the group's to read.
    contents = {"api-key": KEY, "admin-token": ADMIN_TOKEN, "seal-keys": "5" * 64}
    for path, name in deployment.secrets.items():
        file = machine.at(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if name in contents:
            file.write_text(contents[name] + "\n")
        own(file, 0o440, of_root=True)
    # 4. The file of options.
    config = machine.at(given["HUNYUAN_CONFIG"])
    config.parent.mkdir(parents=True, exist_ok=True)
    text = (DEPLOY / "compose/config/hunyuan.yaml").read_text("utf-8")
    config.write_text(read.the("ConfigMap")["data"]["hunyuan.yaml"] if deployment.name == "kubernetes" else text)
    return Machine(**{**vars(machine), "token": of_alice})


@contextmanager
def started(machine: Machine, folder: Path) -> Iterator[Process]:
    """The process: the proxy itself, or the supervisord that starts it."""
    if machine.deployment.name != "supervisor":
        with process(machine.deployment.name, machine.command, machine.environment) as running:
            yield running
        return
    command = [str(BIN / "supervisord"), "-n", "-c", str(supervisors(machine, folder))]
    with process("supervisord", command) as running:
        yield running


def supervisors(machine: Machine, folder: Path) -> Path:
    """supervisor's configuration: the shipped section, with this machine's command, variables and log."""
    section = dict(read.program())
    assert section.pop("user") == "hunyuan-fix"  # there is none here; `command` changes the user
    section["command"] = " ".join(machine.command)
    section["directory"] = str(machine.data)
    section["environment"] = ",".join(f'{name}="{value}"' for name, value in machine.environment.items())
    section["stdout_logfile"] = str(folder / "hunyuan-fix.log")
    lines = ["[supervisord]", f"logfile={folder}/supervisord.log", f"pidfile={folder}/supervisord.pid"]
    lines += [f"childlogdir={folder}", "[program:hunyuan-fix]"]
    lines += [f"{name}={value}".replace("\n", " ") for name, value in section.items()]
    file = folder / "supervisord.conf"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


async def ready(machine: Machine, running: Process, *, be: bool = True) -> None:
    """Wait until the proxy takes requests, or takes none any more; asked less often than a test asks its own tasks."""
    async with asyncio.timeout(_PATIENCE):
        while await asyncio.to_thread(machine.is_ready) is not be:
            await asyncio.sleep(0.05)


def terminate(running: Process) -> None:
    """As Docker, the kubelet and systemd end it; supervisord ends its program for that."""
    running.signal(signal.SIGTERM)


def said(machine: Machine, running: Process, folder: Path) -> str:
    """What the proxy has printed."""
    log = folder / "hunyuan-fix.log"
    return log.read_text("utf-8") if log.exists() else running.output


def probes() -> dict[str, str]:
    """Kubernetes' probes: name -> path."""
    names = ("startupProbe", "livenessProbe", "readinessProbe")
    return {name: str(read.container()[name]["httpGet"]["path"]) for name in names}


def written(machine: Machine) -> set[str]:
    """Top of each path in the data folder, in the user's own hands."""
    assert all(path.stat().st_uid in (os.geteuid(), USER, 0) for path in machine.data.rglob("*"))
    return {re.sub(r"/.*", "", str(path.relative_to(machine.data))) for path in machine.data.rglob("*")}
