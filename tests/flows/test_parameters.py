import json
from pathlib import Path

import pytest

from f2f.config import Config, LipsyncConfig, TranscribeConfig
from f2f.errors import ConfigError
from f2f.request import Request
from flows.parameters import RunOptions, parameters_of, request_of


def test_parameters_are_json_and_describe_the_same_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request = Request(
        source=Path("lecture.mp4"),
        targets=("hi", "es"),
        source_language="en",
        output_dir=Path("out"),
        workdir=Path("work"),
        config=Config(
            profile="embedded",
            transcribe=TranscribeConfig(engine="captions", captions=Path("a.srt")),
            lipsync=LipsyncConfig(batch_size=3, weights=tmp_path / "w.pth"),
        ),
        lipsync=False,
        force=True,
        until="translate",
        library="physics",
    )
    parameters = parameters_of(request)
    assert json.loads(json.dumps(parameters)) == parameters
    parameters["options"] = RunOptions(**parameters["options"])
    monkeypatch.chdir("/")  # a worker stands elsewhere
    again = request_of(**parameters)
    assert again.source == tmp_path / "lecture.mp4"
    assert again.output_dir == tmp_path / "out"
    assert again.until == "translate"
    assert again.library == "physics"
    assert again.workdir == tmp_path / "work"
    assert again.config.transcribe.captions == tmp_path / "a.srt"
    assert again.config.model_copy(update={"transcribe": None}) == request.config.model_copy(
        update={"transcribe": None}
    )
    assert (again.targets, again.source_language, again.lipsync, again.force) == (
        ("hi", "es"),
        "en",
        False,
        True,
    )


def test_what_is_left_out_takes_the_defaults() -> None:
    request = request_of("/data/lecture.mp4", ["hi"], None, None, {"synthesize": {"voice": "hi+f2"}}, None)
    assert request.output_dir == Path("/data")
    assert request.workdir is None
    assert request.lipsync and not request.force
    assert request.config.synthesize.voice == "hi+f2"
    assert request.config.fit == Config().fit


@pytest.mark.parametrize(
    "config", [{"synthesize": {"voise": "x"}}, {"nothing": 1}, {"mux": {"crf": 40}}, {"profile": "best"}]
)
def test_mistakes_in_the_configuration_are_named(config: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"voise|nothing|crf|profile"):
        request_of("/data/lecture.mp4", ["hi"], None, None, config, None)
