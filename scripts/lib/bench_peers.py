"""LiteLLM's proxy, beside which `scripts/bench --peers` measures: its environment, and how it is started."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.bench_loads import MODEL
from scripts.lib.processes import ROOT

KEY = "sk-bench"
"""The master key, without which it refuses to start, and what the clients send. Nothing here leaves loopback."""

FOLDER = ROOT / ".peers" / "litellm"
REQUIREMENTS = Path(__file__).with_name("peers.txt")


class InstallError(Exception):
    """pip could not install it; the text is what pip said."""


def version() -> str:
    """The version that is pinned."""
    return next(
        line.removeprefix("litellm==")
        for line in REQUIREMENTS.read_text("utf-8").split()
        if line.startswith("litellm==")
    )


def install() -> None:
    """Make its environment with exactly the pinned packages, unless it is there. Raises `InstallError`."""
    wanted = REQUIREMENTS.read_text("utf-8")
    stamp = FOLDER / "stamp"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    print(f"scripts/bench: installing LiteLLM {version()} into {FOLDER} (once, 730 MB)", file=sys.stderr)
    venv.create(FOLDER, clear=True, with_pip=True)
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--no-input", "--no-deps", "-r", str(REQUIREMENTS)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InstallError(done.stderr.strip())
    stamp.write_text(wanted, "utf-8")


def litellm(folder: Path, port: int, target: str) -> Sequence[str]:
    """The command that runs it on `port` before the endpoint `target`, with its files in `folder`.

    One worker, no database, no line for each request, nothing fetched from the network; of what it can repair, all:
    parameters that the endpoint doesn't know are dropped and messages modified.
    """
    config = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {"model": f"openai/{MODEL}", "api_base": f"{target}/v1", "api_key": KEY},
            }
        ],
        "litellm_settings": {"drop_params": True, "modify_params": True, "telemetry": False},
        # The endpoint reads from headers of the client's which answer is wanted.
        "general_settings": {"master_key": KEY, "forward_client_headers_to_llm_api": True},
    }
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
    loggers = {name: {"level": "WARNING"} for name in ("uvicorn", "uvicorn.access", "uvicorn.error")}
    (folder / "logging.json").write_text(
        json.dumps({"version": 1, "disable_existing_loggers": False, "loggers": loggers}), "utf-8"
    )
    return (
        *("env", "LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_LOG=ERROR", "DISABLE_ADMIN_UI=True"),
        *(str(FOLDER / "bin" / "litellm"), "--config", str(folder / "config.yaml"), "--host", "127.0.0.1"),
        *("--port", str(port), "--num_workers", "1", "--telemetry", "False"),
        *("--log_config", str(folder / "logging.json")),
    )
