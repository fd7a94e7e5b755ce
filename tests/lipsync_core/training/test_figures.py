"""The figures of the model card, from tiny random networks."""

import json

import pytest
import torch
from safetensors.torch import save_file
from synthetic import make_talking_face

from lipsync_core.errors import InvalidInputError
from lipsync_core.models import LipSyncExpert, SyncNet, Wav2Lip
from lipsync_core.pairs import Pair
from lipsync_core.training.figures import lse_lines, main, swapped_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    for person in ("s1", "x"):
        (folder / "clips" / person).mkdir(parents=True)
        make_talking_face(folder / "clips" / person / "talk.mp4", 1.08)
    torch.manual_seed(0)
    for name, network in (("net", SyncNet(0.125)), ("gen", Wav2Lip(0.125)), ("expert", LipSyncExpert(0.125))):
        save_file(network.state_dict(), folder / f"{name}.safetensors", metadata={"width": "0.125"})
    return folder


def test_every_picture_gets_the_sound_of_the_next_clip(folder, tmp_path):
    assert swapped_pairs(folder / "clips", 9) == [
        Pair("x/talk.mp4", "s1/talk.mp4"),
        Pair("s1/talk.mp4", "x/talk.mp4"),
    ]
    with pytest.raises(InvalidInputError, match="holds 0 clips"):
        swapped_pairs(tmp_path, 3)


def test_command_tells_known_from_unseen_people(folder, caplog):
    caplog.set_level("INFO")
    arguments = [str(folder / "clips"), "--out", str(folder / "out"), "--json", str(folder / "figures.json")]
    for option, name in (("--weights", "gen"), ("--syncnet", "net"), ("--expert", "expert")):
        arguments += [option, str(folder / f"{name}.safetensors")]
    assert main(arguments) == 0
    figures = json.loads((folder / "figures.json").read_text())
    assert set(figures["lse"]) == {"everyone", "known people", "unseen people"}
    known, unseen = (figures["lse"][g]["generated"] for g in ("known people", "unseen people"))
    assert figures["lse"]["everyone"]["generated"]["lse_d"] == pytest.approx(
        (known["lse_d"] + unseen["lse_d"]) / 2
    )
    assert known["n_pairs"] == unseen["n_pairs"] == 1 and known["frechet"]["n_pictures"] > 1
    assert {"people seen in training", "unseen people"} <= set(figures["expert"]["groups"])
    assert f"LSE-D {known['lse_d']:7.3f}" in caplog.text and "with speech" in caplog.text


def test_generated_clips_are_compared_with_real_ones():
    def means(lse_d, lse_c, frechet=None):
        counts = {"n_pairs": 3, "n_failed": 0, "in_sync_share": 1.0}
        return {"lse_d": lse_d, "lse_c": lse_c, **counts, "frechet": frechet}

    made = means(8.4, 4.5, {"name": "F", "distance": 0.25})
    ways = {"real": means(8.0, 5.0), "unsynced": means(12.0, 1.0), "generated": made}
    lines = list(lse_lines({"everyone": ways}))
    assert lines[-2:] == ["  generated of real: LSE-D 105.0%, LSE-C 90.0%", "  F: 0.2500"]
    ways["generated"] = {**means(None, None), "n_failed": 3}
    assert "nothing measured (3 clips failed)" in list(lse_lines({"everyone": ways}))[-1]
