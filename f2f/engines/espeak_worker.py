"""A process that speaks with espeak-ng and nothing else.

espeak-ng is GPL-3 and keeps its state in C globals: both stay in this process, which imports only the
standard library and nothing of ``f2f``. It is started as a script, ``python -I espeak_worker.py LIBRARY
DATA_FOLDER``, reads one JSON request a line from stdin, answers one JSON line on stdout, and ends when
stdin ends, so it never outlives its parent.

    {"op": "voices"}                             -> {"ok": true, "version", "voices": […], "variants": […]}
    {"op": "say", "text", "voice", "wav", "words_per_minute"?}
                                                 -> {"ok": true, "n_samples", "sample_rate_hz"}
    whatever goes wrong                          -> {"ok": false, "error", "errno": null or a number}

``n_samples`` is 0, and no file is written, when the voice finds nothing to say in the text. Functions and
structures are those of espeak-ng's ``speak_lib.h`` (version 1.52).

espeak-ng keeps phases and noise from one text to the next, through ``espeak_Terminate`` too, so the same text
sounds slightly different every time. Where the system can fork, each text is spoken by a child that starts
from the state after loading: the same text gives the same samples, and a crash costs that text alone.
"""

from __future__ import annotations

import array
import ctypes
import functools
import json
import os
import signal
import sys
import wave
from collections.abc import Callable
from typing import Any

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_PARAMETER_RATE = 1
_DEFAULT_WORDS_PER_MINUTE = 175

_SILENCE_RATIO = 10 ** (-50 / 20)  # of the loudest sample
_INAUDIBLE_PEAK = 33  # of 32,768: −60 dBFS
_KEPT_SILENCE_S = 0.02
_SCAN_BLOCK = 64  # samples
_HANGS_AFTER_S = 15  # and a second for every 500 characters; a text takes milliseconds


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library, initialised once for the life of the process."""

    def __init__(self, library: str, data_folder: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        # The library keeps this path in a fixed buffer of 160 bytes: hand it a short, relative one.
        os.chdir(data_folder)
        rate = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, b".", _INITIALIZE_DONT_EXIT)
        if rate <= 0:
            raise RuntimeError(f"espeak-ng finds no voice data in {data_folder}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # it takes the time of day otherwise
        self.sample_rate_hz = int(rate)
        self._pcm = bytearray()
        self._callback = _SynthCallback(self._collect)  # kept: ctypes frees callbacks nobody holds
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: Any, n_samples: int, _events: Any) -> int:
        if samples and n_samples > 0:
            self._pcm += ctypes.string_at(samples, 2 * n_samples)
        return 0

    def voices(self) -> dict[str, Any]:
        """Return version, voices and variants of the library."""
        variant = ctypes.create_string_buffer(b"variant")
        wanted = _Voice(languages=ctypes.cast(variant, ctypes.c_void_p))
        return {
            "version": self._library.espeak_Info(None).decode(),
            "voices": self._list(None),
            "variants": self._list(ctypes.byref(wanted)),
        }

    def _list(self, wanted: Any) -> list[dict[str, Any]]:
        found = self._library.espeak_ListVoices(wanted)
        voices: list[dict[str, Any]] = []
        while found[len(voices)]:
            voice = found[len(voices)].contents
            voices.append(
                {
                    "name": voice.name.decode("utf-8", "replace").strip(),
                    "identifier": voice.identifier.decode("utf-8", "replace"),
                    "languages": _read_languages(voice.languages),
                    "gender": {1: "male", 2: "female"}.get(voice.gender),
                }
            )
        return voices

    def say(
        self, text: str, voice: str, wav: str, words_per_minute: int = _DEFAULT_WORDS_PER_MINUTE
    ) -> dict[str, Any]:
        """Write ``text`` as spoken by ``voice`` to ``wav``, its outer silence trimmed."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        self._library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
        self._pcm.clear()
        utf8 = text.replace("\0", " ").encode("utf-8", "replace")
        failed = self._library.espeak_Synth(
            utf8, len(utf8) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if failed:
            raise RuntimeError(f"espeak-ng returned error {failed}")
        samples = _trim(array.array("h", bytes(self._pcm)), round(_KEPT_SILENCE_S * self.sample_rate_hz))
        if samples:
            _write_wav(wav, samples, self.sample_rate_hz)
        return {"n_samples": len(samples), "sample_rate_hz": self.sample_rate_hz}


def _read_languages(pointer: int) -> list[list[Any]]:
    """Read a list of (priority byte, name, NUL) that a zero priority ends."""
    languages: list[list[Any]] = []
    while priority := ctypes.c_ubyte.from_address(pointer).value:
        name = ctypes.string_at(pointer + 1)
        languages.append([name.decode("ascii", "replace"), priority])
        pointer += 2 + len(name)
    return languages


def _trim(samples: array.array[int], n_kept: int) -> array.array[int]:
    """Cut what is quieter than −50 dB of the peak from both ends, but for ``n_kept`` samples."""
    if not samples or max(max(samples), -min(samples)) < _INAUDIBLE_PEAK:
        return array.array("h")
    threshold = max(max(samples), -min(samples)) * _SILENCE_RATIO
    starts = range(0, len(samples), _SCAN_BLOCK)

    def is_loud(start: int) -> bool:
        block = samples[start : start + _SCAN_BLOCK]
        return max(block) > threshold or -min(block) > threshold

    first = next(start for start in starts if is_loud(start))
    last = next(start for start in reversed(starts) if is_loud(start)) + _SCAN_BLOCK
    return samples[max(0, first - n_kept) : last + n_kept]


def _write_wav(path: str, samples: array.array[int], sample_rate_hz: int) -> None:
    if sys.byteorder == "big":
        samples.byteswap()
    partial = path + ".part"
    with open(partial, "wb") as raw, wave.open(raw, "wb") as file:  # noqa: PTH123
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(samples.tobytes())
    os.replace(partial, path)  # noqa: PTH105 - pathlib is kept out of this process's start-up


def _answer(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"ok": True, **work()}
    except Exception as problem:  # noqa: BLE001 - whatever it is, the parent must hear of it
        number = problem.errno if isinstance(problem, OSError) else None
        return {"ok": False, "error": f"{type(problem).__name__}: {problem}", "errno": number}


def _perform(operations: dict[str, Callable[..., dict[str, Any]]], line: bytes) -> dict[str, Any]:
    request = json.loads(line)
    return operations[request.pop("op")](**request)


def _in_child(say: Callable[..., dict[str, Any]], text: str, **rest: Any) -> dict[str, Any]:
    """Return ``say(text, …)`` of a forked child; raise what it raised, or that it crashed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_HANGS_AFTER_S + len(text) // 500)  # the default action ends it, even inside the library
        os.write(writer, json.dumps(_answer(lambda: say(text, **rest))).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if not content:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {status}"
        raise RuntimeError(f"espeak-ng crashed on this text ({how})")
    answer: dict[str, Any] = json.loads(content)
    if not answer.pop("ok"):
        if answer["errno"] is not None:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        raise RuntimeError(answer["error"])
    return answer


def main() -> None:
    """Answer requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints must not mix with the answers
    espeak = Espeak(*sys.argv[1:3])
    say = functools.partial(_in_child, espeak.say) if hasattr(os, "fork") else espeak.say
    operations: dict[str, Callable[..., dict[str, Any]]] = {"voices": espeak.voices, "say": say}
    for line in requests:
        answer = _answer(functools.partial(_perform, operations, line))
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
