"""Describe the images of a folder ahead, into the store that a proxy reads: `hunyuan-fix describe FOLDER`.

    hunyuan-fix describe FOLDER --set hunyuan_store=redis://127.0.0.1:6379/0

Model, prompt, language, key and store are those of a proxy that is started with the same options. Each image is kept
under the digest of its bytes, for any question.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .. import admission, options, profiles, stores, texts
from ..access import keys
from ..access.call_keys import CallKeys
from ..access.callers import Caller
from ..access.keys import Destination, KeySettings, LentKey, Withheld
from ..access.provider_keys import ProviderKeys, ProviderKeySettings
from ..admission import Admission
from ..admission.leases import Leases
from ..cascade import Ahead, Cascade, CascadeSettings
from ..config import values as read
from ..config.option import OptionError, part
from ..exchange import Exchange, Response
from ..images import data, pixels
from ..options import OPTIONS, Settings
from ..profiles import Profile
from ..route import SUCCESSOR, Address, Route, Routes
from ..steps import describe_images
from ..stores.redis import redis_client
from ..texts import marks, terminal
from ..texts.terminal import say
from ..upstream.calls import Calls
from ..upstream.circuit_breaker import Breaker
from ..upstream.client import HttpClient
from ..upstream.gate import Gate
from ..upstream.target import Target
from ..upstream.transport import Transport, transport
from ..vision.descriptions import Descriptions, ImageFailure
from ..vision.vision_call import Vision
from ..wire import json_body, safe_text
from ..wire.host_names import is_loopback
from ..wire.openai_error import response_in
from .addresses import CONFDIR, ENDPOINT
from .arguments import Parser
from .config import gathered
from .launch import UPSTREAM

_TLS = (
    *("ssl_insecure", "ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir", "client_certs"),
    *("tls_version_server_min", "tls_version_server_max", "ciphers_server"),
)
"""mitmproxy's own options that count for vision calls."""
_SHOWN = 300
"""Characters of a file's name or of an error that are shown."""


class Refused(Exception):
    """Nothing can be described; the text says why, and what to do."""


@dataclass(slots=True)
class Outcome:
    """What became of the images of a folder."""

    images: int = 0
    known: int = 0
    described: int = 0
    unasked: int = 0
    """Those that a call would be made for."""
    tokens: int = 0
    """About what these cost as input."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Files, and why they have no description."""
    ended: str = ""
    """Why the rest wasn't tried; `""`: all were."""
    not_kept: str = ""
    """What the store has not taken; `""`: everything is kept."""


def command_line(prefix: str) -> Parser:
    """The parser of the command."""
    parser = Parser(
        f"{prefix}describe",
        description=say(
            "Describes the images of a folder, and of the folders in it, by the vision model, and keeps that where the "
            "proxy looks: a later request with the same image bytes costs no vision call, whatever it asks. Options, "
            "variables and --set are those of {prefix}run. What is known already costs nothing, so that an interrupted "
            "run goes on where it ended.",
            prefix=prefix,
        ),
        epilog=say(
            "Exit status: 0 all images are described, 1 some are not or could not be kept, 2 nothing could be tried."
        ),
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help=say("where the images are; by content, not by name")
    )
    parser.add_argument("--dry-run", action="store_true", help=say("count the calls that would be made, and make none"))
    parser.add_argument(
        "--parallel", type=_count, metavar="N", help=say("calls at once (default: hunyuan_vision_concurrency)")
    )
    parser.add_argument("--json", action="store_true", help=say("print JSON"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help=say("as if this were given to the proxy")
    )
    parser.add_argument("--config", nargs="+", metavar="FILE", help=say("as if hunyuan_config named these files"))
    parser.add_argument(
        "--confdir", type=Path, default=Path(CONFDIR).expanduser(), metavar="FOLDER", help=say("mitmproxy's folder")
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 64:
        raise argparse.ArgumentTypeError(say("accepted is a number from 1 to 64"))
    return int(text)


def main(arguments: Sequence[str], prefix: str) -> int:
    """Describe the folder's images; returns the exit status."""
    given = command_line(prefix).parse_args(arguments)
    try:
        settings, made = _settings(given)
        if not given.folder.is_dir():
            raise Refused(say("{folder} is no folder", folder=given.folder))
        outcome = asyncio.run(_describe(given, settings, made))
    except (Refused, OptionError) as error:
        print(f"{prefix}describe: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(_document(given, outcome), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_summary(given, outcome)))
    return int(bool(outcome.failed or outcome.ended or outcome.not_kept))


def _settings(given: argparse.Namespace) -> tuple[Settings, Transport]:
    """The options that a proxy would have. Raises `Refused`, `OptionError`."""
    own = [one for one in given.set if one.partition("=")[0].startswith("hunyuan_")]
    mitmproxys: dict[str, str] = {}
    for assignment in given.set:
        name, _, value = assignment.partition("=")
        if assignment not in own and name not in _TLS:
            raise Refused(say("--set {name}: accepted are hunyuan_… and {others}", name=name, others=", ".join(_TLS)))
        if assignment not in own:
            mitmproxys[name] = value
    start = gathered(own, os.environ, given.confdir, given.config or ())
    if start.problems:
        raise Refused("\n".join(start.problems))
    values = {name: start.layers.given(name).value for name in start.layers.defaults}
    if UPSTREAM not in start.layers.all_given:
        values[UPSTREAM] = SUCCESSOR  # as `run` does
    settings = options.parse({option.name: values[option.name] for option in OPTIONS})
    if settings.language:
        terminal.use(settings.language)
    insecure = mitmproxys.get("ssl_insecure", "false").lower() not in ("false", "no", "0")
    return settings, transport(
        lambda name: insecure if name == "ssl_insecure" else mitmproxys.get(name), settings, None
    )


async def _describe(given: argparse.Namespace, settings: Settings, made: Transport) -> Outcome:
    """Describe everything. Raises `Refused`, `OptionError`."""
    # 1. Where do calls go, with whose key, and what keeps their results?
    target, elsewhere = _target(settings, made)
    profile = profiles.load(target.profile)
    levels = stores.open_levels(settings.store, settings.store_max_bytes)
    if not levels:
        raise Refused(say("hunyuan_store=memory keeps nothing for a proxy: name sqlite or redis://HOST:PORT/DB"))
    http, calls, breaker = HttpClient(), Admission(), Breaker()
    http.configure(made)
    shared = Leases(redis_client(settings.store.redis)) if settings.store.redis else None
    calls.configure(queue_max=settings.queue_max, queue_timeout=settings.queue_timeout, leases=shared)
    breaker.configure(failures=settings.breaker_failures, seconds=settings.breaker_seconds)
    chain = stores.Chain(stores.Memory(settings.cache_entries, settings.cache_bytes), levels)
    cascade = Cascade(Vision(Calls(http, Gate(calls, breaker))), known=Descriptions(chain))
    cascade.configure(part(settings, CascadeSettings))
    asked_in = marks.tracked(texts.load(texts.language_of(settings.language)))

    async def one(source: str) -> Ahead:
        return await cascade.describe_ahead(
            source, profile, target, asked_in, ask=not given.dry_run, elsewhere=elsewhere
        )

    # 2. Describe, so many at once. What was paid for is kept, also when a person ends it.
    try:
        outcome = await _each(given, given.parallel or settings.vision_concurrency, settings.image_max_bytes, one)
    finally:
        await chain.flush()
        left = next((level for level in chain.counts() if level.waiting or level.dropped), None)
        for close in (chain.aclose, calls.aclose, http.aclose):
            await close()
    if left is not None:
        count, why = left.waiting + left.dropped, left.why or "?"
        outcome.not_kept = say(
            "The store {store} has not taken {count} descriptions ({why}): they are lost.",
            store=left.name,
            count=count,
            why=why,
        )
    return outcome


def _target(settings: Settings, made: Transport) -> tuple[Target, bool]:
    """Where a proxy would send the vision calls of its reverse port, and with which key.

    And whether that is `hunyuan_vision_upstream`. Raises `Refused`, `OptionError`.
    """
    lent = LentKey().configured(part(settings, KeySettings))
    named = ProviderKeys().configured(part(settings, ProviderKeySettings))
    elsewhere = settings.vision_upstream is not None
    if settings.vision_upstream is not None:
        describe_images.check(settings)
        name, base = Routes(settings).endpoint(settings.vision_upstream)
        profile = profiles.load(name)
        _refuse_plan(profile)
        call_keys = CallKeys(lambda: named, lambda: lent)
        call_keys.configure(settings.upstream, made)
        key = call_keys.authorization(base, Exchange(borrows=True))
    else:
        route = _route(settings)
        profile, base = profiles.load(route.profile), read.base_url(route.base_url)
        key = _key(settings, made, route, profile, named=named, lent=lent)
    if isinstance(key, Withheld):
        raise Refused(say("there is no key for the vision calls: {why}", why=key.value))
    headers = {"Authorization": key} if key else {}
    return Target(str(base), headers, admission.account(profile, key, settings), profile.name), elsewhere


def _route(settings: Settings) -> Route:
    """Where a client of the reverse port would send chat calls."""
    address = Address("https", urlsplit(ENDPOINT).netloc, 443, "/v1/chat/completions")
    route = Routes(settings).of_port("POST", address, ())
    if route is None:
        raise Refused(say("no endpoint is known (hunyuan_upstream)"))
    return route


def _key(
    settings: Settings, made: Transport, route: Route, profile: Profile, *, named: ProviderKeys, lent: LentKey
) -> str | Withheld:
    """The `Authorization` of the calls, by the rules for lending. Raises `Refused`."""
    host = route.address.host
    if profiles.shut_down(host):
        raise Refused(say("{host} has been shut down: name its successor with hunyuan_upstream", host=host))
    _refuse_plan(profile)
    if not (settings.vision_model or profile.vision_model):
        raise Refused(say("no vision model is known for this endpoint: name one with hunyuan_vision_model"))
    of_file = named.key_for(host, route.address.port, route.address.path)
    to = Destination(
        on_this_machine=is_loopback(host) and made.proxy is None,
        encrypted=route.address.scheme == "https",
        verified=not made.insecure,
        of_the_keys_vendor=route.lends or of_file is not None,
    )
    key = lent.value if of_file is None else of_file.key
    return keys.lend(key, {}, Caller(True), to, addressed=lambda: True, origins=frozenset())


def _refuse_plan(profile: Profile) -> None:
    if profile.plan:
        raise Refused(say("this is a plan's endpoint, whose terms forbid calls that nobody waits for"))


async def _each(
    given: argparse.Namespace, parallel: int, max_bytes: int, one: Callable[[str], Awaitable[Ahead]]
) -> Outcome:
    """Hand the images to `one`, `parallel` at once, and tell of each that isn't known."""
    outcome = Outcome()
    waiting, turn = _files(given.folder, lambda file, why: _failed(given, outcome, file, why)), asyncio.Lock()

    async def next_file() -> Path | None:
        async with turn:  # a generator runs in one thread at a time
            return await asyncio.to_thread(next, waiting, None)

    async def work() -> None:
        while not outcome.ended and (file := await next_file()) is not None:
            outcome.images += 1
            name = safe_text.line(str(file.relative_to(given.folder)), _SHOWN)
            try:
                source = await asyncio.to_thread(_source, file, max_bytes)
            except OSError as error:
                _failed(given, outcome, name, error.strerror or type(error).__name__)
                continue
            if source is None:
                _failed(given, outcome, name, _reason("too_large"))
                continue
            ahead = await one(source)
            match ahead.how:
                case "known":
                    outcome.known += 1
                case "unasked":
                    outcome.unasked += 1
                    outcome.tokens += pixels.tokens(source)
                case "described":
                    outcome.described += 1
                    _tell(given, outcome, say("{file}: described", file=name))
                case "failed":
                    _failed(given, outcome, name, _why(ahead.why))
                    if isinstance(ahead.why, Response) and ahead.why.status < 500 and ahead.why.status != 429:
                        outcome.ended = say("The rest wasn't tried: it would fail for the same reason.")

    async with asyncio.TaskGroup() as group:
        for _ in range(parallel):
            group.create_task(work())
    return outcome


def _files(folder: Path, failed: Callable[[str, str], None]) -> Iterator[Path]:
    """The images below `folder` by their content, in the order of their names; links to folders aren't followed.

    `failed` is told of what can't be read, and why.
    """

    def unreadable(error: OSError) -> None:
        path = Path(str(error.filename))
        name = path.relative_to(folder) if path.is_relative_to(folder) else path
        failed(safe_text.line(str(name), _SHOWN), error.strerror or type(error).__name__)

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            file = Path(parent, name)
            try:
                if not file.is_file():
                    continue
                with file.open("rb") as opened:
                    head = opened.read(data.HEAD)
            except OSError as error:
                unreadable(error)
                continue
            if data.is_image(head):
                yield file


def _source(file: Path, max_bytes: int) -> str | None:
    """The image as a request would hold it; `None` if it is too large."""
    if file.stat().st_size > max_bytes:
        return None
    return f"data:image/*;base64,{base64.b64encode(file.read_bytes()).decode()}"


def _failed(given: argparse.Namespace, outcome: Outcome, name: str, why: str) -> None:
    outcome.failed.append((name, why))
    _tell(given, outcome, f"{name}: {why}")


def _tell(given: argparse.Namespace, outcome: Outcome, line: str) -> None:
    """Progress: a line for each image that cost something, or failed."""
    print(f"[{outcome.images}] {line}", file=sys.stderr if given.json else sys.stdout, flush=True)


def _reason(reason: str) -> str:
    return texts.load(terminal.language()).image_reasons[reason]


def _why(failure: ImageFailure | Response | None) -> str:
    if isinstance(failure, ImageFailure):
        return _reason(failure.reason)
    body = response_in(terminal.language(), failure).body if failure is not None else b""
    error = (json_body.parse_object(body) or {}).get("error")
    return safe_text.line(str(error.get("message")) if isinstance(error, dict) else "?", _SHOWN)


def _document(given: argparse.Namespace, outcome: Outcome) -> Mapping[str, object]:
    return {
        "folder": str(given.folder),
        "dry_run": given.dry_run,
        "images": outcome.images,
        "known": outcome.known,
        "described": outcome.described,
        **({"calls": outcome.unasked, "image_tokens": outcome.tokens} if given.dry_run else {}),
        "failed": [{"file": file, "why": why} for file, why in outcome.failed],
        "ended": outcome.ended or None,
        "not_kept": outcome.not_kept or None,
    }


def _summary(given: argparse.Namespace, outcome: Outcome) -> Iterator[str]:
    if given.dry_run:
        yield say(
            "{images} images, {known} of them known. {calls} vision calls would be made, for about {tokens:,} tokens "
            "of images.",
            images=outcome.images,
            known=outcome.known,
            calls=outcome.unasked,
            tokens=outcome.tokens,
        )
    else:
        yield say(
            "{images} images: {known} known, {described} described, {failed} without a description.",
            images=outcome.images,
            known=outcome.known,
            described=outcome.described,
            failed=len(outcome.failed),
        )
    yield from filter(None, (outcome.ended, outcome.not_kept))
