"""Functions of mitmproxy that are replaced, where mitmproxy's source is the one that the new ones were written for.

They are replaced for the whole process while an instance of the addon wants it, and put back with the last of them.
There are three groups, each wanted by itself: what is faster (the option `hunyuan_fast_dispatch`), and, which no option
turns off, what clients get where their endpoint fails, and while it is silent.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import linecache
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import CodeType
from typing import Any
from weakref import WeakSet

from mitmproxy import version

from ...texts.terminal import say
from . import contents, dispatch, failed_calls, insertion, values

logger = logging.getLogger("hunyuan_fix")


@dataclass(frozen=True, slots=True)
class Replacement:
    """Functions of mitmproxy's that are replaced together."""

    subject: str
    """What they do, for the log."""
    known: Mapping[str, frozenset[str]]
    """`module:name` of each function whose work is done otherwise -> `digest` of its source, of one or more versions.

    A function that is called by a replaced one no more is among them.
    """
    by: Mapping[str, Callable[..., Any]]
    """`module:class.name` -> the function that takes its place."""


@dataclass(frozen=True, slots=True)
class Group:
    """Replacements that are wanted together, each independent of the others."""

    name: str
    """What wants them, for the log."""
    replacements: tuple[Replacement, ...]
    wanted_by: WeakSet[object] = field(default_factory=WeakSet)
    """Instances of the addon."""


_DISPATCH = Replacement(
    "event dispatch",
    {
        "mitmproxy.addonmanager:AddonManager.trigger_event": frozenset(["b763c59bc4992e33"]),
        "mitmproxy.addonmanager:AddonManager.trigger": frozenset(["b19e37ceb2096421"]),
        "mitmproxy.addonmanager:AddonManager.handle_lifecycle": frozenset(["38c97e792d1db5b7"]),
        "mitmproxy.addonmanager:AddonManager.invoke_addon": frozenset(["13180532440359de"]),
        "mitmproxy.addonmanager:AddonManager.invoke_addon_sync": frozenset(["212818268a95797b"]),
        "mitmproxy.addonmanager:AddonManager._iter_hooks": frozenset(["350b419ab7284091"]),
        "mitmproxy.addonmanager:AddonManager.add": frozenset(["6c26295c4f0f4eb9"]),
        "mitmproxy.addonmanager:AddonManager.register": frozenset(["01ddcca314eebbd3"]),
        "mitmproxy.addonmanager:AddonManager.remove": frozenset(["2e93aab2204a39f6"]),
        "mitmproxy.addonmanager:AddonManager.clear": frozenset(["5fd484329fa05882"]),
        "mitmproxy.addons.script:Script.addons.fget": frozenset(["a0bd701672720ae1"]),
        "mitmproxy.addonmanager:traverse": frozenset(["bad3d9f88bdf9269"]),
        "mitmproxy.addonmanager:safecall.__wrapped__": frozenset(["f2052c18340e99b0"]),
        "mitmproxy.addonmanager:cut_traceback": frozenset(["760a58f630c0fa44"]),
        "mitmproxy.hooks:Hook.args": frozenset(["5bab95f7aa358e18"]),
    },
    {
        "mitmproxy.addonmanager:AddonManager.trigger_event": dispatch.trigger_event,
        "mitmproxy.addonmanager:AddonManager.trigger": dispatch.trigger,
        "mitmproxy.addonmanager:AddonManager.handle_lifecycle": dispatch.handle_lifecycle,
        "mitmproxy.addonmanager:AddonManager.register": dispatch.register,
        "mitmproxy.hooks:Hook.args": dispatch.args,
    },
)
_TYPES = Replacement(
    "type check of messages",
    {
        "mitmproxy.http:MessageData.__post_init__": frozenset(["f65088e210cd9cc1"]),
        "mitmproxy.utils.typecheck:check_option_type": frozenset(["b60e47c7091fa795"]),
    },
    {"mitmproxy.http:MessageData.__post_init__": values.check_types},
)
_OPTIONS = Replacement(
    "reading of options",
    {
        "mitmproxy.optmanager:_Option.current": frozenset(["6859c2d9c826806e"]),
        "mitmproxy.optmanager:_Option.default.fget": frozenset(["cfc9882b8960757d"]),
    },
    {"mitmproxy.optmanager:_Option.current": values.current},
)
_HEADERS = Replacement(
    "look-up of headers",
    {
        "mitmproxy.http:Headers.__getitem__": frozenset(["482e7414c932e3e8"]),
        "mitmproxy.http:Headers.get": frozenset(["collections.abc.Mapping.get"]),
        "mitmproxy.http:Headers.__contains__": frozenset(["collections.abc.Mapping.__contains__"]),
        "mitmproxy.http:Headers.get_all": frozenset(["367b3317bc2ba45c"]),
        "mitmproxy.http:Headers.__init__": frozenset(["4d53696a5f9f6670"]),
        "mitmproxy.http:Headers.set_all": frozenset(["bd38c94984e1e0a5"]),
        "mitmproxy.http:Headers._kconv": frozenset(["dd59639eb7c46701"]),
        "mitmproxy.http:Headers._reduce_values": frozenset(["d808a4075a1f266d"]),
        "mitmproxy.http:_native": frozenset(["0ba4541fc6fa15ce"]),
        "mitmproxy.http:_always_bytes": frozenset(["1f256dc3d66394a0"]),
        "mitmproxy.coretypes.multidict:MultiDict.__init__": frozenset(["faf0668e22579e8b"]),
        "mitmproxy.coretypes.multidict:_MultiDict.get_all": frozenset(["5bff03c1afa25bb7"]),
        "mitmproxy.coretypes.multidict:_MultiDict.set_all": frozenset(["ef342ec3a8242138"]),
        "mitmproxy.utils.strutils:always_bytes": frozenset(["97a1c07fd4d60b7d"]),
    },
    {
        "mitmproxy.http:Headers.__getitem__": values.header,
        "mitmproxy.http:Headers.get": values.header_or,
        "mitmproxy.http:Headers.__contains__": values.has_header,
        "mitmproxy.http:Headers.get_all": values.all_headers,
        "mitmproxy.http:Headers.set_all": values.set_headers,
        "mitmproxy.http:Headers.__init__": values.make_headers,
    },
)
_AUTHORITIES = Replacement(
    "reading of authorities",
    {
        "mitmproxy.net.http.url:parse_authority": frozenset(["d8338265c05d8491"]),
        "mitmproxy.net.check:is_valid_host": frozenset(["76efad3bee98e9b5"]),
        "mitmproxy.net.check:is_valid_port": frozenset(["f31abfc72ed98d50"]),
    },
    {"mitmproxy.net.http.url:parse_authority": values.authority},
)
_FAILED_CALLS = Replacement(
    "answers to calls that fail",
    {
        "mitmproxy.proxy.layers.http:HttpStream.handle_protocol_error": frozenset(["59fc3b2eeeabf63a"]),
        "mitmproxy.proxy.layers.http:HttpStream.check_body_size": frozenset(["236ca0a7b9fd4f69"]),
        "mitmproxy.proxy.layers.http:HttpStream.check_invalid": frozenset(["ef0a126eef45d903"]),
        "mitmproxy.proxy.layers.http:HttpStream.check_killed": frozenset(["368cad352d1e82b6"]),
        "mitmproxy.proxy.layers.http:HttpStream.make_server_connection": frozenset(["ddc7bc72f4d2fbc7"]),
        "mitmproxy.proxy.layers.http._http1:Http1Server.send": frozenset(["cc218a1337c0f5cf"]),
        "mitmproxy.proxy.layers.http._http2:Http2Server._handle_event": frozenset(["7282fa18e70a3eaa"]),
    },
    {
        "mitmproxy.proxy.layers.http:HttpStream.handle_protocol_error": failed_calls.handle_protocol_error,
        "mitmproxy.proxy.layers.http:HttpStream.check_body_size": failed_calls.check_body_size,
        "mitmproxy.proxy.layers.http:HttpStream.check_invalid": failed_calls.check_invalid,
    },
)

_INSERTION = Replacement(
    "routing of events",
    {
        "mitmproxy.proxy.layers.http:HttpLayer._handle_event": frozenset(["6ba31883cc7a06b3"]),
        "mitmproxy.proxy.layers.http:HttpLayer.event_to_child": frozenset(["1095f6e1581d1780"]),
        "mitmproxy.proxy.layers.http:HttpStream.passthrough": frozenset(["101b0e19646a62ad"]),
        "mitmproxy.proxy.layers.http:HttpStream.start_response_stream": frozenset(["b0de9e9a5ee27276"]),
        "mitmproxy.proxy.layers.http._http1:Http1Server.send": frozenset(["cc218a1337c0f5cf"]),
        "mitmproxy.proxy.layers.http._http2:Http2Server._handle_event": frozenset(["7282fa18e70a3eaa"]),
        "mitmproxy.proxy.tunnel:TunnelLayer._handle_event": frozenset(["00676a887c456cec"]),
        "mitmproxy.proxy.server:ConnectionHandler.server_event": frozenset(["a2b42657ebe8bf6d"]),
    },
    {"mitmproxy.proxy.layers.http:HttpLayer._handle_event": insertion.handle_event},
)

_CONTENTS = Replacement(
    "content for views",
    {
        "mitmproxy.contentviews:get_data": frozenset(["27987722d9ac8ef7"]),
        "mitmproxy.contentviews:prettify_message": frozenset(["5b6872aba7f88b15"]),
    },
    {"mitmproxy.contentviews:get_data": contents.get_data},
)

FASTER = Group("hunyuan_fast_dispatch", (_DISPATCH, *([_TYPES] if __debug__ else []), _OPTIONS, _HEADERS, _AUTHORITIES))
"""What costs less than mitmproxy's own. Under `python -O` mitmproxy doesn't check types."""
ANSWERING = Group("the error of an endpoint that can't be reached", (_FAILED_CALLS,))
"""What clients get as JSON in their format, and as mitmproxy's page without it."""
KEEPING_ALIVE = Group("keep-alive in silent streams", (_INSERTION,))
"""What clients of a translated stream hear while their endpoint is silent."""
SHOWING = Group("view of a running stream", (_CONTENTS,))
"""What a person sees of a stream before its end."""
GROUPS = (FASTER, ANSWERING, KEEPING_ALIVE, SHOWING)

_replaced: dict[str, Callable[..., Any]] = {}
"""`module:class.name` -> mitmproxy's own function, of those that are replaced at present."""


def want(instance: object, group: Group) -> None:
    """Replace what can be replaced, until `instance` says `release`. One line in the log says what can't, and why."""
    if instance in group.wanted_by:
        return
    if not _is_replaced(group) and (reasons := _replace(group)):
        said = say(
            "{name}: mitmproxy {version} keeps its own {parts}.",
            name=group.name,
            version=version.VERSION,
            parts="; ".join(reasons),
        )
        logger.info("%s", said)
    group.wanted_by.add(instance)


def release(instance: object, group: Group) -> None:
    """Put mitmproxy's own functions back, unless another instance wants them replaced. May be called at any time."""
    group.wanted_by.discard(instance)
    if not group.wanted_by:
        _put_back(group)


def original(place: str) -> Callable[..., Any]:
    """The function of mitmproxy's at `place` (`module:class.name`), whether it is replaced at present or not."""
    owner, name = _owner(place)
    function: Callable[..., Any] = _replaced.get(place) or getattr(owner, name)
    return function


def _is_replaced(group: Group) -> bool:
    """Whether any of `group` is replaced at present."""
    return any(place in _replaced for replacement in group.replacements for place in replacement.by)


def _put_back(group: Group) -> None:
    """Put mitmproxy's own functions back. What another script has put over a replaced one stays."""
    for replacement in group.replacements:
        for place, new in replacement.by.items():
            owner, name = _owner(place)
            own = _replaced.pop(place, None)
            if own is not None and getattr(owner, name) is new:
                setattr(owner, name, own)


def _replace(group: Group) -> list[str]:
    """Replace what can be. Returns what can't, each with its reason."""
    reasons = []
    for replacement in group.replacements:
        if unknown := _unknown(replacement):
            reasons.append(f"{replacement.subject} ({unknown})")
            continue
        for place, new in replacement.by.items():
            owner, name = _owner(place)
            _replaced[place] = getattr(owner, name)
            setattr(owner, name, new)
    return reasons


def _unknown(replacement: Replacement) -> str | None:
    """Why `replacement` can't take place; `None` where it can."""
    for place, digests in replacement.known.items():
        try:
            owner, name = _owner(place)
            if digest(getattr(owner, name)) not in digests:
                return f"the source of {place.partition(':')[2]} is another one"
        except (AttributeError, ImportError, OSError, TypeError, SyntaxError):
            return f"the source of {place.partition(':')[2]} can't be read"
    return None


def digest(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source, shortened. Raises `OSError` where the source isn't there.

    Of a function that a class has from `collections.abc`, whose behaviour is Python's, the name.
    """
    if function.__module__ == "collections.abc":
        return f"{function.__module__}.{function.__qualname__}"
    # The function's own code: `inspect.getsource` would look through a wrapper that somebody has put around it, and
    # asks all modules for their files first, which takes longer at the start than anything else of the addon.
    code: CodeType = function.__code__
    return _digest_of(code.co_filename, code.co_firstlineno)


@cache
def _digest_of(file: str, first: int) -> str:
    """Of the function that begins in line `first` of `file`. At a hot reload it is known already."""
    lines = linecache.getlines(file)[first - 1 :]
    if not lines:
        raise OSError(f"no source in {file}")
    return hashlib.sha256("".join(inspect.getblock(lines)).encode()).hexdigest()[:16]


def _owner(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    return owner, name
