"""The papers' tables, from tiny random networks and rendered clips."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from synthetic import make_talking_face

from lipsync_core.models import LipGANGenerator, LipSyncExpert, SyncNet, Wav2Lip

SOURCE = Path(__file__).resolve().parents[2] / "bench" / "paper_tables.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("paper_tables", SOURCE)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["paper_tables"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for person in ("a", "b"):
        (folder / "clips" / person).mkdir(parents=True)
        make_talking_face(folder / "clips" / person / f"{person}1.mp4", 1.08)
    (folder / "papers").mkdir()
    manifest = {}
    torch.manual_seed(0)
    for name, kind, network, frames, finetuned in (
        ("expert_t5", "lipsync_expert", LipSyncExpert(0.125), 5, False),
        ("wav2lip_t5_frozen", "wav2lip", Wav2Lip(0.125), 5, False),
        ("lipgan", "lipgan", LipGANGenerator(0.125), None, False),
    ):
        save_file(
            network.state_dict(),
            folder / "papers" / f"{name}.safetensors",
            metadata={"width": "0.125", "architecture": kind},
        )
        manifest[name] = {"file": f"{name}.safetensors", "kind": kind, "window_frames": frames}
        manifest[name] |= {"finetuned": finetuned, "steps": 1, "seconds": 1}
    (folder / "papers" / "papers.json").write_text(json.dumps(manifest))
    save_file(SyncNet(0.125).state_dict(), folder / "net.safetensors", metadata={"width": "0.125"})
    return folder


def arguments(folder, *more):
    return [
        str(folder / "papers"), str(folder / "clips"), "--out", str(folder / "out"), "--count", "2",
        "--syncnet", str(folder / "net.safetensors"), *map(str, more),
    ]  # fmt: skip


def test_tables_have_what_is_trained_and_go_on(bench, folder, capsys, monkeypatch):
    assert bench.main(arguments(folder, "--json", folder / "t.json")) == 0
    printed = capsys.readouterr().out
    figures = json.loads((folder / "t.json").read_text())
    lines = {line.split("|")[1].strip(): line for line in printed.splitlines() if line.startswith("| ")}
    row = figures["rows"]["wav2lip_t5_frozen"]
    assert f"| {row['lse_d']:.3f} ± {row['lse_d_error']:.3f} |" in lines["Wav2Lip"]
    assert f"| {row['frechet']['distance']:.3f} |" in lines["Wav2Lip"]
    assert lines["Wav2Lip"].endswith("| 6.386 | 7.789 | 4.887 |") and row["n_pairs"] == 2
    assert "| not trained |" in lines["Speech2Vid"] and "| not trained |" in lines["Wav2Lip + GAN"]
    assert lines["real"].split("|")[4].strip() == "–" and "lipgan" in figures["rows"]
    accuracy = figures["experts"]["expert_t5"]["groups"]["everyone"]["speech"]
    experts = [line for line in printed.splitlines() if line.startswith("| 5 | no |")]
    assert f"| {accuracy['off_sync']:.1%} | {accuracy['in_sync']:.1%} |" in experts[0]
    assert "- Wav2Lip ahead of LipGAN: LSE-D" in printed and "not comparable" in printed
    assert "Frechet distance (embedded SyncNet features)" in printed

    for name in ("lipsync_core.pair_runs.score_pair", "paper_tables.report_expert"):
        monkeypatch.setattr(name, lambda *_: pytest.fail("measured again"))
    assert bench.main(arguments(folder)) == 0
    again = capsys.readouterr().out
    assert again.splitlines() == printed.splitlines()


def test_orders_are_read_from_the_rows(bench):
    class Fixed:
        def __init__(self, **rows):
            self.rows = rows

        def row(self, name):
            lse = self.rows.get(name)
            return bench.Row(lse[0], 0.1, lse[1], 0.1, 1.0, 9, None) if lse else None

    found = list(bench.orders(Fixed(wav2lip_t5_frozen=(6.0, 7.0), lipgan=(7.0, 8.0))))
    assert found[0] == "- Wav2Lip ahead of LipGAN: LSE-D yes, LSE-C no"
    assert found[1] == "- LipGAN ahead of Speech2Vid: not measured"


def test_without_a_manifest_the_command_is_named(bench, folder, tmp_path, capsys):
    assert bench.main([str(tmp_path), str(folder / "clips"), "--out", str(tmp_path / "out")]) == 2
    assert "python -m lipsync_core.training.papers" in capsys.readouterr().err


def test_means_and_standard_errors(bench):
    from lipsync_core.pair_scores import PairScore

    scores = [PairScore("a", "b", d, 2.0, o, 9) for d, o in ((6.0, 0), (8.0, 1), (10.0, -4))]
    row = bench.row_of([*scores, PairScore("x", "y", error="bad")], None)
    assert (row.lse_d, row.lse_c, row.n_pairs) == (8.0, 2.0, 3)
    assert row.lse_d_error == pytest.approx(2 / 3**0.5) and row.in_sync_share == pytest.approx(2 / 3)
    assert bench.row_of([PairScore("x", "y", error="bad")], None) is None
