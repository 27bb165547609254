"""Run an agent, and answer it from a recording: `hunyuan-fix replay FILE -- AGENT`."""

from __future__ import annotations

from collections.abc import Sequence

from ..recording import file
from ..recording.file import Recording, RecordingError
from ..texts import terminal
from ..texts.sentence import in_language
from ..texts.terminal import say
from . import recording
from .agents.table import agents, of_command
from .arguments import Parser
from .launch import UPSTREAM
from .recording import FOR, MODEL, OPTIONS, Given, shown, tell

KEY = "sk-0-none-is-needed-for-a-replay"
"""What the agent gets as its API key: agents start with one only. It looks like one, and is hidden like one."""
MISSED = 3
"""Exit status of a replay whose agent ended well, but has asked what wasn't recorded."""
_ENDPOINTS = ("--upstream", "--intl", "--legacy")


def main(arguments: Sequence[str], prefix: str) -> int:
    """Run the agent, and say what was replayed. Returns the agent's exit status, or `MISSED`."""
    parser = Parser(
        f"{prefix}replay",
        usage=say("{replay} FILE [OPTIONS OF run] -- AGENT [ARGUMENTS]", replay=f"{prefix}replay"),
        description=say(
            "Runs an agent with a proxy of its own that answers it from FILE, as `{run}record FILE -- AGENT` wrote "
            "it: nothing is sent, and no key is needed. What the agent asks and FILE doesn't have is refused, with "
            "what differs; the exit status is {missed} then, if the agent's own is 0 (docs/replay.md).",
            run=prefix,
            missed=MISSED,
        ),
    )
    given = recording.read(arguments, parser)
    try:
        recorded = file.read(given.file)
    except RecordingError as error:
        parser.error(f"{shown(given.file)}: {in_language(terminal.language(), error.said)}")
    except OSError as error:
        parser.error(f"{shown(given.file)}: {error.strerror}")
    given.options[:0] = _of_recording(recorded, given)
    status, report, launch = recording.run(given, "replay", prefix, KEY)
    if report is None:
        return status
    tell(
        launch,
        say(
            "replayed from {file}: {calls} calls, which saved {tokens:,} tokens and {seconds:.1f} s of waiting",
            file=shown(given.file),
            calls=report.calls,
            tokens=report.tokens,
            seconds=report.seconds if not report.left else report.seconds * report.calls / len(recorded.calls),
        ),
    )
    if report.left:
        tell(launch, say("the agent has not asked for {count} of the recorded calls", count=report.left))
    if not report.missed:
        return status
    tell(launch, say("not in {file} ({count}):", count=report.missed, file=shown(given.file)))
    for difference in dict.fromkeys(report.misses):
        tell(launch, f"  {difference}")
    return status or MISSED


def _of_recording(recorded: Recording, given: Given) -> list[str]:
    """The options of `run` that the recording had, and that the user doesn't give."""
    head, options = recorded.head, []
    agent = head.get("agent")
    if of_command(given.words[0]) is None and agent in agents() and not given.gives(FOR):
        options += [FOR, str(agent)]
    if isinstance(head.get("model"), str) and not given.gives(MODEL):
        options += [MODEL, head["model"]]
    if not any(map(given.gives, _ENDPOINTS)):
        options += ["--set", f"{UPSTREAM}={recorded.endpoint}"]
    written = head.get("options")
    for name, value in (written if isinstance(written, dict) else {}).items():
        if isinstance(value, str) and name in OPTIONS and not (OPTIONS[name] and given.gives(OPTIONS[name])):
            options += ["--set", f"{name}={value}"]
    return options
