"""Run an agent, and record what it is answered: `hunyuan-fix record FILE -- AGENT`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from ..exchange import JsonObject
from ..recording import file
from ..recording.writing import MODE
from ..texts.terminal import say
from ..wire import json_body
from . import recording
from .arguments import Parser
from .launch import parse
from .recording import OPTIONS, named_agent, shown, tell


def main(arguments: Sequence[str], prefix: str) -> int:
    """Run the agent, and say what was recorded. Returns the agent's exit status, or that of `run` in its place."""
    parser = Parser(
        f"{prefix}record",
        usage=say("{record} FILE [--overwrite] [OPTIONS OF run] -- AGENT [ARGUMENTS]", record=f"{prefix}record"),
        description=say(
            "Runs an agent with a proxy of its own, as `{run}run -- AGENT` does, and writes all that it asks and is "
            "answered to FILE. `{run}replay FILE -- AGENT` answers it from there: without a network, without a key, on "
            "another day, in another folder. Keys aren't written down (docs/replay.md).",
            run=prefix,
        ),
    )
    parser.add_argument("--overwrite", action="store_true", help=say("replace FILE, if there is one"))
    given = recording.read(arguments, parser)
    launch = parse([*given.options, "--", *given.words], prefix, "record")

    # 1. A new file, whose first line says what a replay needs.
    head: JsonObject = {file.HEAD: file.VERSION}
    if name := named_agent(given, launch):
        head["agent"] = name
    if launch.agent is not None and launch.agent.model:
        head["model"] = launch.agent.model
    if options := {name: value for name in OPTIONS if (value := launch.option(name)) is not None}:
        head["options"] = options
    path = given.file
    before = path.with_name(f"{path.name}.before")  # until there is something in its place
    try:
        if given.overwrite:
            with suppress(FileNotFoundError):
                path.replace(before)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with open(descriptor, "wb") as opened:
            opened.write(json_body.serialise(head) + b"\n")
    except FileExistsError:
        tell(launch, say("{file} exists already. --overwrite records it anew.", file=shown(path)))
        return 2
    except OSError as error:
        tell(launch, f"{shown(path)}: {error.strerror}")
        return 2

    # 2. The agent.
    status, report, launch = recording.run(given, "record", prefix)
    if report is None or not report.calls:
        with suppress(OSError):
            path.unlink()  # this process has made it, and there is nothing in it
            if given.overwrite:
                before.replace(path)
        if report is not None:
            tell(launch, say("the agent has called no model by this proxy: nothing was recorded"))
        return status
    if given.overwrite:
        before.unlink(missing_ok=True)
    tell(
        launch,
        say(
            "recorded in {file}: {calls} calls, {tokens:,} tokens, {seconds:.1f} s. To replay them: {command}",
            file=shown(path),
            calls=report.calls,
            tokens=report.tokens,
            seconds=report.seconds,
            command=f"{prefix}replay {shown(path)} -- {given.words[0]} …",
        ),
    )
    return status
