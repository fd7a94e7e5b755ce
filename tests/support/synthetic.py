"""Media that tests make themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from lipsync_core.pictures import ColourSpace, Yuv420Frame


def ffmpeg(*args: str | Path) -> None:
    """Run the bundled ffmpeg quietly; raise with its words if it fails."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def make_clip(path: Path, seconds: float = 2.0, fps: str = "25", size: str = "320x240") -> Path:
    """Write a faceless test card with a 300 Hz tone."""
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=frequency=300:sample_rate=16000:duration={seconds}",
        "-pix_fmt", "yuv420p", "-shortest", path,
    )  # fmt: skip
    return path


def astronaut_frame(width: int = 384, height: int = 288, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """Return (height, width, 3) uint8 BGR: a real public-domain face, shifted by (dx, dy) pixels."""
    import cv2
    from skimage import data

    portrait = np.ascontiguousarray(data.astronaut()[:, :, ::-1])  # 512×512, face near (225, 110)
    scale = height / 300
    matrix = np.array(
        [[scale, 0, width / 2 - 225 * scale + dx], [0, scale, 0.42 * height - 110 * scale + dy]]
    )
    return cv2.warpAffine(portrait, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def make_talking_face(
    path: Path, seconds: float = 3.0, fps: int = 25, blank_from_s: float | None = None
) -> Path:
    """Write a clip of one gently moving face with a syllable-like sound; black from ``blank_from_s`` on."""
    width, height, n_frames = 384, 288, round(seconds * fps)
    rate = 16000
    time_s = np.arange(int(seconds * rate)) / rate
    syllables = np.clip(np.sin(2 * np.pi * 3 * time_s), 0, None)
    voice = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 12))
    sound = path.with_suffix(".sound.wav")
    write_wav(sound, (0.15 * syllables * voice).astype(np.float32), rate)
    import imageio_ffmpeg

    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-",
        "-i", str(sound), "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for i in range(n_frames):
            angle = 2 * np.pi * i / fps / 4
            frame = astronaut_frame(width, height, 4 * np.sin(angle), 2 * np.cos(angle))
            if blank_from_s is not None and i / fps >= blank_from_s:
                frame[:] = 16
            process.stdin.write(frame.tobytes())
        process.stdin.close()
        assert process.wait() == 0
    sound.unlink()
    return path


def write_wav(path: Path, waveform: np.ndarray, sample_rate_hz: int) -> Path:
    """Write float waveform in [-1, 1] as 16-bit mono."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes((np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def planar_frame(frame_bgr: np.ndarray) -> Yuv420Frame:
    """Return an even-sized frame as OpenCV makes it planar (BT.601, 16...235)."""
    import cv2

    height, width = frame_bgr.shape[:2]
    packed = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2YUV_I420)
    chroma = packed[height:].reshape(2, height // 2, width // 2)
    return Yuv420Frame(packed[:height], chroma[0], chroma[1], ColourSpace("bt601"))
