"""What an exchange said, packed: its bodies in one frame of zstd, without what another turn of its session has.

An agent sends its whole history again in each turn. A turn is compressed with one before it as the dictionary, which
takes a fifth of the memory and no more time; a turn that shares too little is packed by itself, and is the dictionary
of those after it. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import zstandard

from ..wire import content_coding, json_body
from .content import About, Content, WhyNot

OVERHEAD: Final = 400
"""Bytes that a packed exchange takes beside its data."""
_OVERHEAD_UNPACKED: Final = 3500
"""The same for one that isn't packed, for its exchange as plain data."""
_UNPACKED: Final = 4 << 10
"""Bytes of bodies that aren't packed."""
_LARGEST_SHARED: Final = 16 << 20
"""Bytes of an exchange beyond which it is no dictionary: each that is packed with it reads all of it."""
_SHARES_LITTLE: Final = 0.2
"""Of its dictionary's size: what is larger, packed with it, begins anew."""
_FAST, _SMALL = 1, 3
"""Levels of zstd: of what is packed at once, or is large, and of what a thread has time for."""
_FAR: Final = 1 << 20
"""Bytes from which on zstd must look farther back than it does by itself: for `sent`, which says what `came` said."""
_WINDOW: Final = 27
"""Bits of how far that is, at most: what a decoder takes by itself."""
_LENGTHS: Final = struct.Struct("<4q")
_NONE, _SAME = -1, -2


@dataclass(frozen=True, slots=True)
class Coded:
    """A body, and the content coding that it is in; `is_cut`: only its beginning was kept."""

    data: bytes
    coding: str = ""
    is_cut: bool = False


@dataclass(slots=True, kw_only=True)
class Raw(About):
    """What an exchange said, as its hooks have it: bodies as of `Content`, in their content coding. Not to be changed.

    `secrets`: keys that went with it, in whose place stars are kept. `session`: that of its exchange.
    """

    id: str
    came: Coded | None = None
    sent: Coded | None = None
    answer: Coded | None = None
    session: str = ""
    secrets: Sequence[bytes] = field(default=(), repr=False)

    @property
    def size(self) -> int:
        """Bytes of its bodies, each once."""
        own = [self.came, self.answer] + ([] if self.sent is self.came else [self.sent])
        return sum(len(body.data) for body in own if body is not None)

    @property
    def is_coded(self) -> bool:
        """Whether a body has to be unpacked first."""
        return any(body is not None and body.coding for body in (self.came, self.sent, self.answer))

    def without_bodies(self, why: WhyNot) -> Raw:
        """The same without what it said."""
        return replace(self, came=None, sent=None, answer=None, why=why)

    def content(self, limit: int, *, under_way: bool = False) -> Content:
        """The same for the page. A body of more than `limit` bytes without its coding is left out."""
        why = self.why
        came, sent, answer = (_plain(body, limit, self.secrets) for body in (self.came, self.sent, self.answer))
        if any(body is _TOO_LARGE for body in (came, sent, answer)):
            why = "too_large"
            came, sent, answer = (None if body is _TOO_LARGE else body for body in (came, sent, answer))
        if self.sent is self.came or (sent is not None and sent == came):
            sent = came
        about = {**self.about(), "why": why}
        return Content(came=came, sent=sent, answer=answer, under_way=under_way, **about)


@dataclass(slots=True, eq=False, weakref_slot=True)
class Packed:
    """An exchange that is kept. `shared`: the one that is its dictionary."""

    data: bytes
    length: int
    """Bytes of what is packed."""
    shared: Packed | None = None
    why: WhyNot = ""
    session: str = ""
    raw: Raw | None = None
    """A small one, which stays as it is: to pack it would take more time than the rest of its keeping."""
    users: int = 0
    """Exchanges that are kept and need it: itself, and those whose dictionary it is."""

    @property
    def size(self) -> int:
        """Bytes that it takes, without its dictionary."""
        return len(self.data) + OVERHEAD + (0 if self.raw is None else self.raw.size + _OVERHEAD_UNPACKED)


def pack(raw: Raw, limit: int, shared: Packed | None = None, *, in_thread: bool = True) -> Packed:
    """`raw` as it is kept. `limit`: bytes of a body. `shared`: an exchange of its session that was packed by itself.

    `in_thread`: it may take some time.
    """
    size = raw.size
    if 0 < size <= min(_UNPACKED, limit) and not in_thread and not raw.is_coded:
        return Packed(b"", size, None, raw.why, raw.session, raw)
    content = raw.content(limit)
    plain = _frame(content)
    length = len(plain)
    if not in_thread:
        return Packed(_fast(plain), length, None, content.why, raw.session)
    if shared is not None and length <= _LARGEST_SHARED:
        data = _compressor(length, _plain_frame(shared)).compress(plain)
        if len(data) <= _SHARES_LITTLE * len(shared.data):
            return Packed(data, length, shared, content.why, raw.session)
    return Packed(_compressor(length).compress(plain), length, None, content.why, raw.session)


def may_be_shared(packed: Packed) -> bool:
    """Whether others may be packed with it."""
    return packed.shared is None and packed.raw is None and packed.length <= _LARGEST_SHARED


def unpacked(packed: Packed) -> Content:
    """What was packed."""
    if packed.raw is not None:
        return packed.raw.content(packed.raw.size)
    plain = _plain_frame(packed)
    header, came_length, sent_length, answer_length = _LENGTHS.unpack_from(plain)
    place = _LENGTHS.size

    def taken(length: int) -> bytes | None:
        nonlocal place
        if length < 0:
            return None
        place += length
        return plain[place - length : place]

    about = json_body.parse(taken(header) or b"")
    came, sent, answer = taken(came_length), taken(sent_length), taken(answer_length)
    about["headers"] = tuple((name, value) for name, value in about["headers"])
    return Content(came=came, sent=came if sent_length == _SAME else sent, answer=answer, **about)


def _frame(content: Content) -> bytes:
    about = json_body.serialise(content.about())
    came, answer = content.came, content.answer
    sent = None if content.sent is came else content.sent
    lengths = [_NONE if body is None else len(body) for body in (came, sent, answer)]
    if content.sent is came and came is not None:
        lengths[1] = _SAME
    return b"".join((_LENGTHS.pack(len(about), *lengths), about, came or b"", sent or b"", answer or b""))


_fast: Callable[[bytes], bytes] = zstandard.ZstdCompressor(level=_FAST).compress


def _compressor(length: int, shared: bytes | None = None) -> zstandard.ZstdCompressor:
    before = len(shared) if shared else 0
    is_far = length + before >= _FAR
    window = min(_WINDOW, max(10, (length + before).bit_length()))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _FAST if is_far else _SMALL, source_size=length + before, window_log=window, enable_ldm=is_far
    )
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=_dictionary(shared))


def _plain_frame(packed: Packed) -> bytes:
    shared = None if packed.shared is None else _plain_frame(packed.shared)
    return zstandard.ZstdDecompressor(dict_data=_dictionary(shared)).decompress(packed.data)


def _dictionary(shared: bytes | None) -> zstandard.ZstdCompressionDict | None:
    if shared is None:
        return None
    return zstandard.ZstdCompressionDict(shared, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


_TOO_LARGE: Final = b"too large"


def _plain(body: Coded | None, limit: int, secrets: Sequence[bytes]) -> bytes | None:
    """The body without its coding; `_TOO_LARGE`, that object. One that can't be unpacked stays as it is."""
    if body is None:
        return None
    data = body.data
    if len(data) > limit:
        return _TOO_LARGE
    try:
        if body.coding:
            whole = content_coding.unpack
            data = content_coding.unpacker(body.coding)(data) if body.is_cut else whole(data, body.coding, limit)
    except content_coding.CodingError:
        pass
    except content_coding.TooLarge:
        return _TOO_LARGE
    for secret in secrets:
        if data.find(secret) >= 0:  # not `in`, which takes ten times as long for bytes
            data = data.replace(secret, b"*" * len(secret))
    return data
