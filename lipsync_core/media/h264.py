"""Packets of an H.264 stream, carried between ffmpeg and this program in FLV.

FLV is the simplest container that ffmpeg reads and writes through a pipe with decode and display times and
length-prefixed NAL units. Sources: Adobe Flash Video File Format 10.1, annex E; ISO/IEC 14496-15 (avcC);
ITU-T H.264, 7.3 and 7.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from lipsync_core.errors import MediaError

NAL_IDR, NAL_SPS, NAL_PPS = 5, 7, 8
_VIDEO_TAG, _AVC_KEY, _AVC_INTER, _CONFIG, _UNITS = 9, 0x17, 0x27, 0, 1
_HIGH_PROFILES = (100, 110, 122, 144, 244)  # whose avcC also states chroma format and bit depth


@dataclass(frozen=True)
class AvcConfig:
    """Decoder configuration of a stream of 8-bit 4:2:0.

    Attributes:
        profile: profile_idc; 66, 77 and 100 are Baseline, Main and High.
        constraints: the byte of constraint flags.
        level: level_idc, ten times the level.
        length_bytes: of the length in front of every NAL unit.
        sps: sequence parameter sets.
        pps: picture parameter sets.
    """

    profile: int
    constraints: int
    level: int
    length_bytes: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]

    def ids(self) -> set[int]:
        """Return the ids in use by sequence or picture parameter sets."""
        return {_first_golomb(unit[4:]) for unit in self.sps} | {_first_golomb(unit[1:]) for unit in self.pps}

    def joined(self, other: AvcConfig) -> AvcConfig:
        """Return a configuration that holds the parameter sets of both; their ids must differ."""
        return AvcConfig(
            max(self.profile, other.profile),
            self.constraints & other.constraints,
            max(self.level, other.level),
            4,
            self.sps + other.sps,
            self.pps + other.pps,
        )

    def to_bytes(self) -> bytes:
        """Return the avcC record."""
        out = bytearray((1, self.profile, self.constraints, self.level, 0xFC | (self.length_bytes - 1)))
        out.append(0xE0 | len(self.sps))
        for unit in self.sps:
            out += struct.pack(">H", len(unit)) + unit
        out.append(len(self.pps))
        for unit in self.pps:
            out += struct.pack(">H", len(unit)) + unit
        if self.profile in _HIGH_PROFILES:
            out += bytes((0xFC | 1, 0xF8, 0xF8, 0))
        return bytes(out)


def parse_config(record: bytes) -> AvcConfig:
    """Return what an avcC record says.

    Raises:
        MediaError: it is damaged.
    """
    try:
        _, profile, constraints, level, lengths, n_sps = record[:6]
        sps, rest = _units(record[6:], n_sps & 31)
        pps, _ = _units(rest[1:], rest[0])
    except (ValueError, IndexError, struct.error) as exc:
        raise MediaError(f"damaged H.264 configuration ({len(record)} bytes)") from exc
    return AvcConfig(profile, constraints, level, (lengths & 3) + 1, sps, pps)


def _units(data: bytes, count: int) -> tuple[tuple[bytes, ...], bytes]:
    units = []
    for _ in range(count):
        (size,) = struct.unpack_from(">H", data)
        if len(data) < 2 + size:
            raise ValueError("cut off")
        units.append(data[2 : 2 + size])
        data = data[2 + size :]
    return tuple(units), data


def _first_golomb(payload: bytes) -> int:
    """Return the exponential Golomb number that bytes begin with."""
    bits = "".join(f"{byte:08b}" for byte in payload[:12].replace(b"\0\0\3", b"\0\0"))
    zeros = bits.index("1")
    return int(bits[zeros : 2 * zeros + 1], 2) - 1


@dataclass(frozen=True)
class Packet:
    """One coded frame.

    Attributes:
        dts_ms: decode time.
        pts_ms: display time.
        data: NAL units, each behind its length in four bytes.
    """

    dts_ms: int
    pts_ms: int
    data: bytes

    def units(self) -> Iterator[memoryview]:
        """Yield the NAL units."""
        view, at = memoryview(self.data), 0
        while at + 4 < len(view):
            size = int.from_bytes(view[at : at + 4], "big")
            yield view[at + 4 : at + 4 + size]
            at += 4 + size

    @property
    def is_idr(self) -> bool:
        """Whether nothing after it needs anything before it."""
        return any(unit[0] & 31 == NAL_IDR for unit in self.units())


class FlvReader:
    """Iterator over the packets of the one H.264 stream that ffmpeg writes as FLV.

    Attributes:
        config: known once the first packet was read.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self.config: AvcConfig | None = None
        self._started = False

    def __iter__(self) -> FlvReader:
        return self

    def __next__(self) -> Packet:
        """Return the next packet.

        Raises:
            MediaError: another codec, or parameter sets that change on the way.
        """
        if not self._started:
            self._read(13)  # header, and the size of the tag before the first
            self._started = True
        while True:
            kind, size, time_ms = self._tag()
            body = self._read(size)
            self._read(4)
            if kind != _VIDEO_TAG or size < 5:
                continue
            if body[0] & 15 != 7:
                raise MediaError("the stream is not H.264")
            if body[1] == _CONFIG:
                config = parse_config(body[5:])
                if self.config is not None and config != self.config:
                    raise MediaError("its parameter sets change on the way")
                self.config = config
            elif body[1] == _UNITS and self.config is not None:
                delay_ms = int.from_bytes(body[2:5], "big", signed=True)
                return Packet(time_ms, time_ms + delay_ms, self._four_byte_lengths(body[5:]))

    def _tag(self) -> tuple[int, int, int]:
        head = self._read(11)
        return head[0], int.from_bytes(head[1:4], "big"), int.from_bytes(head[7:8] + head[4:7], "big")

    def _read(self, size: int) -> bytes:
        data = self._pipe.read(size)
        if len(data) < size:
            raise StopIteration
        return data

    def _four_byte_lengths(self, data: bytes) -> bytes:
        assert self.config is not None
        n_bytes = self.config.length_bytes
        if n_bytes == 4:
            return data
        out, at = bytearray(), 0
        while at + n_bytes < len(data):
            size = int.from_bytes(data[at : at + n_bytes], "big")
            out += size.to_bytes(4, "big") + data[at + n_bytes : at + n_bytes + size]
            at += n_bytes + size
        return bytes(out)


def flv_start(config: AvcConfig) -> bytes:
    """Return the beginning of an FLV stream that holds one H.264 stream."""
    header = b"FLV\1\1" + struct.pack(">II", 9, 0)
    return header + _flv_tag(0, bytes((_AVC_KEY, _CONFIG, 0, 0, 0)) + config.to_bytes())


def flv_packet(dts_ms: int, pts_ms: int, data: bytes, *, is_key: bool) -> bytes:
    """Return one packet as an FLV tag."""
    head = bytes((_AVC_KEY if is_key else _AVC_INTER, _UNITS)) + (pts_ms - dts_ms).to_bytes(3, "big")
    return _flv_tag(dts_ms, head + data)


def _flv_tag(time_ms: int, body: bytes) -> bytes:
    time = (time_ms & 0xFFFFFF).to_bytes(3, "big") + (time_ms >> 24).to_bytes(1, "big")
    head = bytes((_VIDEO_TAG,)) + len(body).to_bytes(3, "big") + time + bytes(3)
    return head + body + struct.pack(">I", 11 + len(body))
