"""The container of an archive: a plain zip file that any tool opens, of which every byte follows from its members.

Nothing in it is compressed, so reading can never grow; names, times, owners and modes are fixed, so there is nothing
to hide in. Reading means building the file again from the members it seems to hold and comparing: a zip file that two
programs could understand in two ways, with links, encryption, or a byte before, between or after, is refused.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.errors import ToolkitError

LARGEST = 1 << 31
"""Bytes that an archive may have: the format's own limit is not much above."""

_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
_DAY = 33  # 1 January 1980, the first day that the format knows
_MODE = 0o100644 << 16  # a plain file, readable by all
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class ArchiveError(ToolkitError):
    """An archive cannot be made or is refused; says which member, and what is wrong with it."""


def build(members: Mapping[str, bytes]) -> Iterator[bytes]:
    """The bytes of an archive, piece by piece; the same for the same members, everywhere.

    Raises
    ------
    ArchiveError
        If a name is not plain, or there is more than the format holds.
    """
    for name in members:
        check_name(name)
    size = sum(len(body) + 2 * len(name) + _LOCAL.size + _CENTRAL.size for name, body in members.items())
    if size + _END.size > LARGEST or len(members) > 0xFFFF:
        raise ArchiveError(f"an archive holds at most {LARGEST >> 20} MB and 65535 files: pack fewer runs in one study")
    for _, piece in _pieces(members):
        yield piece


def check_name(name: str) -> None:
    """Refuse a name that could lead elsewhere, or mean something else on another system.

    Raises
    ------
    ArchiveError
        Naming it.
    """
    if not all(_PART.fullmatch(part) and not part.endswith(".") for part in name.split("/")):
        raise ArchiveError(
            f"member {name!r} has a name that is refused: only letters, digits, '.', '_', '-' in parts joined by '/', "
            "none of which begins with '.' (no absolute path, no '..', no drive)"
        )


def read(path: Path) -> dict[str, bytes]:
    """The members of an archive by name.

    Raises
    ------
    ArchiveError
        If it is anything but what `build` makes, to the byte.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ArchiveError(f"{path}: has {size} bytes, and at most {LARGEST} are read")
        data = path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        members = dict(_walk(data))
        _compare(data, members)
    except ArchiveError as error:
        raise ArchiveError(f"{path}: {error}") from error
    return members


def _walk(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Members as they follow on one another, each checked by itself."""
    at, seen = 0, dict[str, str]()
    if data[:4] != b"PK\3\4":
        raise ArchiveError("the archive does not begin like one: it is no archive of 'toolkit pack', or was changed")
    while data[at : at + 4] == b"PK\3\4":
        if len(data) < at + _LOCAL.size:
            raise ArchiveError("the archive is cut off in the header of a member")
        _, _, flags, method, _, _, checksum, packed, size, length, extra = _LOCAL.unpack_from(data, at)
        begin = at + _LOCAL.size + length
        name = _named(data[at + _LOCAL.size : begin], seen)
        for wrong, what in ((flags, "is encrypted or streamed"), (method, "is compressed"), (extra, "has extra data")):
            if wrong:
                raise ArchiveError(f"member {name!r} {what}: 'toolkit pack' makes no such archive")
        at = begin + size
        if packed != size or at > len(data):
            raise ArchiveError(f"member {name!r} is said to have {size} bytes, which the archive does not hold")
        body = data[begin:at]
        if zlib.crc32(body) != checksum:
            raise ArchiveError(f"member {name!r} was changed: its checksum does not fit")
        yield name, body


def _named(raw: bytes, seen: dict[str, str]) -> str:
    """A member's name, which ``seen`` learns: those before it, by how they are spelt in small letters."""
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"member {raw!r} has a name that is refused: it is not ASCII") from error
    check_name(name)
    if name.lower() in seen:
        raise ArchiveError(f"member {name!r} occurs twice (also as {seen[name.lower()]!r})")
    seen[name.lower()] = name
    return name


def _compare(data: bytes, members: Mapping[str, bytes]) -> None:
    """The archive is to the byte what is made of its members."""
    at = 0
    for what, piece in _pieces(members):
        held = data[at : at + len(piece)]
        if held != piece:
            if len(held) < len(piece) and piece.startswith(held):
                raise ArchiveError(f"the archive is cut off in {what}")
            byte = at + next(i for i, (a, b) in enumerate(zip(held, piece, strict=False)) if a != b)
            raise ArchiveError(f"{what} was changed, or was not made by 'toolkit pack'{_kind(held)} (byte {byte})")
        at += len(piece)
    if at != len(data):
        raise ArchiveError(f"{len(data) - at} bytes follow the end of the archive (from byte {at})")


def _kind(held: bytes) -> str:
    """What a member's entry in the directory says it is, if that is no plain file."""
    if len(held) < _CENTRAL.size or held[:4] != b"PK\1\2":
        return ""
    kind = _CENTRAL.unpack_from(held)[15] >> 28
    return {0o12: ": it is a link", 0o04: ": it is a folder", 0o02: ": it is a device", 0o06: ": it is a device"}.get(
        kind, ""
    )


def _pieces(members: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The whole file: what each piece is, and its bytes."""
    at, directory = 0, list[tuple[str, bytes]]()
    for name, body in sorted(members.items()):
        raw, checksum, size = name.encode("ascii"), zlib.crc32(body), len(body)
        plain = (10, 0, 0, 0, _DAY, checksum, size, size, len(raw), 0)
        entry = _CENTRAL.pack(b"PK\1\2", 3 << 8 | 10, *plain, 0, 0, 0, _MODE, at)
        directory.append((f"the entry of member {name!r}", entry + raw))
        yield f"the header of member {name!r}", _LOCAL.pack(b"PK\3\4", *plain) + raw
        yield f"member {name!r}", body
        at += _LOCAL.size + len(raw) + size
    yield from directory
    length, count = sum(len(entry) for _, entry in directory), len(directory)
    yield "the end of the archive", _END.pack(b"PK\5\6", 0, 0, count, count, length, at, 0)
