"""H.264 packets in FLV: against ffmpeg's own reading, and by hand."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from synthetic import ffmpeg

from lipsync_core.errors import MediaError
from lipsync_core.media import ffmpeg_path
from lipsync_core.media.h264 import AvcConfig, FlvReader, Packet, flv_packet, flv_start, parse_config

SPS = bytes.fromhex("6764000dacd94141fb0110000003001000000303c8f1429960")
PPS = bytes.fromhex("68ebecb22c")


def test_a_configuration_survives() -> None:
    config = AvcConfig(100, 0, 13, 4, (SPS,), (PPS,))
    assert parse_config(config.to_bytes()) == config
    assert config.ids() == {0}


def test_joined_configurations_hold_both_sets() -> None:
    other_sps = bytes([0x67, 0x4D, 0x40, 0x1E, 0b01000000, 0x80])  # Golomb 010: id 1
    other_pps = bytes([0x68, 0b01010000])  # picture set 1 for sequence set 0
    one = AvcConfig(100, 0, 13, 2, (SPS,), (PPS,))
    other = AvcConfig(77, 0x40, 30, 4, (other_sps,), (other_pps,))
    assert other.ids() == {1}
    both = parse_config(one.joined(other).to_bytes())
    assert (both.profile, both.constraints, both.level, both.length_bytes) == (100, 0, 30, 4)
    assert (both.sps, both.pps) == ((SPS, other_sps), (PPS, other_pps))


@pytest.mark.parametrize("size", [0, 5, 8, 20])
def test_a_damaged_configuration_is_refused(size: int) -> None:
    record = AvcConfig(100, 0, 13, 4, (SPS,), (PPS,)).to_bytes()
    with pytest.raises(MediaError, match="damaged"):
        parse_config(record[:size])


def unit(kind: int, size: int = 20) -> bytes:
    return bytes([0x60 | kind]) + bytes(range(size))


def prefixed(*units: bytes, length_bytes: int = 4) -> bytes:
    return b"".join(len(u).to_bytes(length_bytes, "big") + u for u in units)


def test_packets_come_back_as_they_went() -> None:
    config = AvcConfig(100, 0, 13, 4, (SPS,), (PPS,))
    packets = [
        Packet(0, 80, prefixed(unit(6), unit(5))),
        Packet(40, 200, prefixed(unit(1))),
        Packet(20_000_000, 20_000_080, prefixed(unit(1), unit(1))),  # beyond 24 bits of milliseconds
    ]
    stream = flv_start(config) + b"".join(
        flv_packet(p.dts_ms, p.pts_ms, p.data, is_key=p.is_idr) for p in packets
    )
    reader = FlvReader(io.BytesIO(stream))
    assert list(reader) == packets
    assert reader.config == config
    assert [p.is_idr for p in packets] == [True, False, False]
    assert list(FlvReader(io.BytesIO(stream[:-30]))) == packets[:2]  # cut off


def test_short_unit_lengths_become_four_bytes() -> None:
    config = AvcConfig(100, 0, 13, 2, (SPS,), (PPS,))
    short = prefixed(unit(7, 3), unit(5), length_bytes=2)
    stream = flv_start(config) + flv_packet(0, 0, short, is_key=True)
    (packet,) = FlvReader(io.BytesIO(stream))
    assert packet.data == prefixed(unit(7, 3), unit(5))
    assert [u[0] & 31 for u in packet.units()] == [7, 5]


def test_ffmpeg_writes_and_reads_the_same(tmp_path: Path) -> None:
    clip, copy = tmp_path / "c.mp4", tmp_path / "c.flv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=1", "-g", "10", "-pix_fmt", "yuv420p", clip
    )
    ffmpeg("-i", clip, "-c", "copy", copy)
    reader = FlvReader(io.BytesIO(copy.read_bytes()))
    packets = list(reader)
    assert len(packets) == 25 and reader.config is not None
    assert sum(p.is_idr for p in packets) == 3
    assert sorted(round((p.pts_ms - packets[0].pts_ms) / 40) for p in packets) == list(range(25))
    again = tmp_path / "again.flv"
    again.write_bytes(
        flv_start(reader.config)
        + b"".join(flv_packet(p.dts_ms, p.pts_ms, p.data, is_key=p.is_idr) for p in packets)
    )
    one, two = (
        subprocess.run(
            [ffmpeg_path(), "-v", "error", "-i", str(file), "-f", "rawvideo", "pipe:1"],
            capture_output=True, check=True,
        ).stdout
        for file in (clip, again)
    )  # fmt: skip
    assert np.array_equal(np.frombuffer(one, np.uint8), np.frombuffer(two, np.uint8))
    assert len(one) == 25 * 64 * 48 * 3 // 2
