"""`doctor --live`: ask the endpoint itself what it takes, and write down where the profile says otherwise.

The probes go to the endpoint directly, past the proxy, which would repair them. No text of an answer is shown: some
endpoints repeat the key in their errors.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from ... import profile_folder, profiles
from ...access import keys
from ...columns import width
from ...config.option import OptionError
from ...config.values import BaseUrl
from ...did_you_mean import did_you_mean
from ...profiles import Profile
from ...texts.sentence import Sentence
from ...texts.terminal import say
from ...wire import paths
from ...wire.host_names import canonical, is_loopback
from ..colours import BOLD, DIM, GREEN, RED, YELLOW, paint
from . import probes, toml_text
from .probing import Answer, Call, Row, Subject, Verdict
from .proxy_address import exceptions_for, given_proxies
from .report import said
from .situation import Situation

TIMEOUT = 60.0
"""Seconds for each step of a call."""
MAX_ANSWER = 1 << 20
"""Bytes of an answer that are read."""
MARK = "# Written by doctor --live"
"""How a file begins that may be written again."""

COLOURS: dict[Verdict, tuple[int, ...]] = {"agrees": (GREEN,), "differs": (RED, BOLD), "unknown": (YELLOW,)}
"""The verdicts on a row, and their colours."""
_ANTHROPIC_VERSION = "2023-06-01"


class CannotExamine(Exception):
    """The endpoint can't be examined. `why` says why, and what to do; it never holds a key."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for. `profile` and `model` are `None` for those of the endpoint."""

    profile: str | None
    model: str | None
    folder: Path | None
    plan_too: bool
    write: bool


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found out about `model` at `endpoint`."""

    endpoint: BaseUrl
    profile: str
    model: str
    calls: int
    rows: Sequence[Row]

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that make the profile say what was found."""
        return probes.merged(row.keys for row in self.rows)


def main(situation: Situation, wanted: Wanted, *, as_json: bool) -> int:
    """Examine, report and write. 0: done, with or without differences; 1: not examined, or not written."""
    try:
        folder = wanted.folder or profile_folder.default_folder()
        endpoint = situation.endpoint_url
        profile = _profile(endpoint, wanted.profile, folder)
        if profile.plan and not (wanted.plan_too or _confirmed(endpoint.host)):
            raise CannotExamine(Sentence("{plan}: add --live-plan if you want that", plan=_plan(endpoint.host)))
        found = _examined(situation, profile, wanted.model or profile.text_model)
        written = _written(found, folder, write=wanted.write)
    except CannotExamine as error:
        if as_json:
            print(json.dumps({"error": str(error.why)}))
        else:
            print(f"doctor: {said(error.why)}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(_as_json(found, written), indent=2))
    else:
        _report(found, written)
    return 0 if written.done else 1


# What is examined


def _profile(endpoint: BaseUrl, named: str | None, folder: Path) -> Profile:
    """The profile of the endpoint, with what the user's folder says already."""
    try:
        profile_folder.use(profile_folder.ProfileSettings(profiles=folder if folder.is_dir() else None))
    except OptionError as error:
        raise CannotExamine(str(error)) from None
    name = named or profiles.at(canonical(endpoint.host), paths.normal(endpoint.path))
    if name is None:
        known = "|".join(profiles.names())
        raise CannotExamine(Sentence("no profile is for {url}; name one: --profile {names}", url=endpoint, names=known))
    if name not in profiles.names():
        known = ", ".join(profiles.names())
        near = did_you_mean(name, profiles.names())
        why = Sentence("--profile {name}: accepted are {names}", name=name, names=known)
        if near:
            why = Sentence(
                "--profile {name}: accepted are {names}; did you mean {near}?", name=name, names=known, near=near
            )
        raise CannotExamine(why)
    return profiles.load(name)


def _plan(host: str) -> Sentence:
    return Sentence(
        "{host} is a plan for interactive use: its terms forbid calls that no person waits for, and may cost the key. "
        "This makes up to {calls} such calls",
        host=host,
        calls=probes.MAX_CALLS,
    )


def _confirmed(host: str) -> bool:
    """A person at a terminal has typed yes."""
    if not sys.stdin.isatty():
        return False
    print(said(Sentence("{plan}. Type yes to go on: ", plan=_plan(host))), end="", flush=True, file=sys.stderr)
    return sys.stdin.readline().strip().lower() == "yes"


def key_of(environment: Mapping[str, str], vendor: str) -> bytes:
    """The key for a vendor's hosts: that of its own variable, else `HUNYUAN_API_KEY`. Raises `CannotExamine`."""
    own = f"{vendor.upper().replace('-', '_')}_API_KEY"
    for name in (own, keys.VARIABLE):
        if given := environment.get(name, "").strip():
            return given.encode("utf-8", "surrogateescape")
    raise CannotExamine(Sentence("there is no key: set {own} or {ours}, then try again", own=own, ours=keys.VARIABLE))


def _examined(situation: Situation, profile: Profile, model: str) -> Examination:
    endpoint = situation.endpoint_url
    key = key_of(situation.environment, profile.vendor)
    if endpoint.scheme != "https" and not is_loopback(endpoint.host):
        raise CannotExamine(Sentence("{url} is not encrypted: the key doesn't go there", url=endpoint))
    subject = Subject(profile, profile.model(model))
    # As bytes: httpx takes ASCII text only, and its complaint would show the key.
    headers = {b"authorization": b"Bearer " + key, b"x-api-key": key}
    with httpx.Client(trust_env=False, proxy=way_out(situation), timeout=TIMEOUT) as client:
        ask = _asker(client, endpoint, profile, headers)
        calls, rows = 0, list[Row]()
        for calls, (answer, found) in enumerate(probes.examine(subject, ask), 1):
            if calls == 1 and not answer.good:
                raise CannotExamine(_unusable(answer, model, endpoint))
            rows = [*found]
    return Examination(endpoint, profile.name, model, calls, rows)


def way_out(situation: Situation) -> str | None:
    """The proxy that the environment names for the endpoint, as a company's; `None` for this one, and without any."""
    host = situation.endpoint_url.host
    if is_loopback(host) or exceptions_for(host, situation.environment):
        return None
    given = given_proxies(situation.environment).values()
    return next((one.url for one in given if one is not None and not situation.leads_here(one)), None)


def _asker(
    client: httpx.Client, endpoint: BaseUrl, profile: Profile, headers: Mapping[bytes, bytes]
) -> Callable[[Call], Answer]:
    """A function that makes a call. It raises nothing: no answer has the status 0."""
    origin = str(endpoint).removesuffix(endpoint.path)
    native = {name: origin + profile.bases.get(name, endpoint.path) for name in ("anthropic", "responses")}
    urls = {
        "models": f"{endpoint}/models",
        "chat": f"{endpoint}/chat/completions",
        "anthropic": f"{native['anthropic']}/messages",
        "responses": f"{native['responses']}/responses",
    }

    def ask(call: Call) -> Answer:
        method = "GET" if call.body is None else "POST"
        more = {b"anthropic-version": _ANTHROPIC_VERSION.encode()} if call.where == "anthropic" else {}
        try:
            with client.stream(method, urls[call.where], json=call.body, headers={**headers, **more}) as answer:
                return Answer(answer.status_code, _start_of(answer).decode("utf-8", "replace"))
        except httpx.HTTPError:
            return Answer(0)

    return ask


def _start_of(answer: httpx.Response) -> bytes:
    read = bytearray()
    for part in answer.iter_bytes():
        read += part
        if len(read) >= MAX_ANSWER:
            break
    return bytes(read[:MAX_ANSWER])


_WHY = {
    0: "the endpoint doesn't answer: is that the right address, and is this machine online?",
    401: "the key is refused: each vendor and product has keys of its own",
    402: "the account has nothing left",
    403: "the key may not use this model, or the host serves other programs only",
    404: "there is no such model or no such path: name another with --model, or the base URL with --upstream",
    429: "the account is at its limit now: try again later",
}
_FAILS = "the simplest call fails"


def why_sentences() -> list[str]:
    """Every sentence that says why nothing was found out."""
    return [*_WHY.values(), _FAILS]


def _unusable(answer: Answer, model: str, endpoint: BaseUrl) -> Sentence:
    template = _WHY.get(answer.status, _FAILS)
    why = Sentence(template)
    if not answer.status:
        return Sentence("nothing was found out about {model} at {url}: {why}", model=model, url=endpoint, why=why)
    return Sentence(
        "nothing was found out about {model} at {url} (HTTP {status}): {why}",
        model=model,
        url=endpoint,
        status=answer.status,
        why=why,
    )


# What is written


@dataclass(frozen=True, slots=True)
class Written:
    """The text of the differences, the file for it, and what became of that; `done`: nothing is left to do."""

    text: str
    file: Path
    said: str
    done: bool


def _written(found: Examination, folder: Path, *, write: bool) -> Written:
    """Write the differences over those that an earlier examination wrote. A file of the user's own is left alone."""
    file, keys = folder / f"{found.profile}.toml", found.keys
    if not keys:
        return Written("", file, Sentence("nothing to write"), done=True)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for row in keys.get("models", {}).values():
        row["source"] = f"measured with doctor --live, {today}"
    if not write:
        return Written(toml_text.dumps(keys), file, Sentence("not written (--dry): {file}", file=file), done=True)
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else MARK
        if not before.startswith(MARK):
            left = Sentence("{file} is your own and was left alone: put these keys into it", file=file)
            return Written(toml_text.dumps(keys), file, left, done=False)
        text = toml_text.dumps(probes.merged([tomllib.loads(before), keys]))
        head = f"{MARK} on {today}: {found.model} at {found.endpoint}. Laid over the built-in profile, key by key.\n"
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{head}\n{text}", encoding="utf-8")
    except (OSError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else Sentence("it is no TOML")
        failed = Sentence("{file} can't be written: {why}", file=file, why=why)
        return Written(toml_text.dumps(keys), file, failed, done=False)
    done = Sentence("written: {file}", file=file)
    if folder != profile_folder.default_folder():
        done = Sentence("written: {file}; it counts with hunyuan_profiles={folder}", file=file, folder=folder)
    return Written(toml_text.dumps(keys), file, done, done=True)


# The report


def _report(found: Examination, written: Written) -> None:
    print(
        say(
            "{model} at {url}, profile {profile}, {calls} calls\n",
            model=found.model,
            url=found.endpoint,
            profile=found.profile,
            calls=found.calls,
        )
    )
    table = [("", say("what"), say("this endpoint"), say("the profile says"))]
    table += [(say(row.verdict), said(row.what), said(row.found), said(row.claimed)) for row in found.rows]
    widths = [max(width(cell) for cell in column) for column in zip(*table, strict=True)]
    for number, line in enumerate(table):
        cells = [cell + " " * (wide - width(cell)) for cell, wide in zip(line, widths, strict=True)]
        codes = COLOURS[found.rows[number - 1].verdict] if number else (DIM,)
        print("  ".join([paint(cells[0], *codes), *cells[1:]]).rstrip())
    print(f"\n{said(written.said)}")
    if written.text:
        print("\n" + "\n".join(f"  {line}".rstrip() for line in written.text.splitlines()))


def _as_json(found: Examination, written: Written) -> dict[str, Any]:
    return {
        "endpoint": str(found.endpoint),
        "profile": found.profile,
        "model": found.model,
        "calls": found.calls,
        "findings": [asdict(row) for row in found.rows],
        "keys": found.keys,
        "file": str(written.file),
        "written": written.said.startswith("written"),
        "said": str(written.said),
    }
