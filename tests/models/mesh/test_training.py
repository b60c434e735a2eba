"""The loop that trains on images trains on meshes: it opens neither batch nor outputs."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from segmentation.data.batch import Batch
from segmentation.data.mesh.dataset import MeshInputs
from segmentation.data.sampler import Bucket, Draw, TrainingBatches
from segmentation.engine.task import Feed
from segmentation.losses import CrossEntropy, MaskedPrediction
from segmentation.models.mesh.pretraining import MaskedPretraining
from tests.engine.toy import CLASSES, Run, adamw, build_run, options, unequal, weights
from tests.models.mesh.meshes import drawn
from tests.models.mesh.small import build

SAMPLES = 6


class Meshes(Dataset[int]):
    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, draw: Draw) -> int:
        return draw.index


def collate(indices: list[int]) -> Batch:
    """The class of a face is told by its corners."""
    whole = drawn(meshes=SAMPLES, pixels=4)
    inputs = MeshInputs(*(part[indices] for part in whole if part is not None))
    height = inputs.features[..., :9].mean(dim=-1)
    target = (2 * height + 1.5).clamp(0, len(CLASSES) - 1).to(torch.uint8).where(inputs.mask, 255)
    return Batch(inputs, target, tuple(f"mesh {index}" for index in indices))


def mesh_run(path: Path, name: str, epochs: int) -> Run:
    loss = MaskedPrediction() if name == "nomeformer_pretrain" else CrossEntropy()
    trained = options(epochs=epochs, batch_size=2, ema_decay=0.9, max_checkpoints=3)
    run = build_run(path, trained, lambda: build(name, classes=len(CLASSES)), 1e-2, adamw, loss=loss)
    batches = TrainingBatches([Bucket(range(SAMPLES), 2)], 0, drop_last=False)
    train, val = (
        DataLoader[Batch](Meshes(), batch_sampler=sampler, collate_fn=collate)  # type: ignore[arg-type]
        for sampler in (batches, [[Draw(index, 0)] for index in range(SAMPLES)])
    )
    run.feed = Feed(train, val)
    return run


@pytest.mark.parametrize("name", ["nomeformer", "nomeformer_textured", "nomeformer_pretrain"])
def test_the_loop_trains_it_and_a_resumed_run_ends_equal(name: str, tmp_path: Path) -> None:
    run = mesh_run(tmp_path / "whole", name, epochs=3)
    before = weights(run.state.model)
    run.fit()
    for part in ("encoder", "head"):
        moved = [key for key, value in run.state.model.state_dict().items() if not torch.equal(value, before[key])]
        assert any(key.startswith(part) for key in moved)
    assert run.history[-1]["train/loss"] < run.history[0]["train/loss"]
    assert 0 <= run.history[-1]["val/mIoU"] <= 1
    resumed = mesh_run(tmp_path / "resumed", name, epochs=3)
    resumed.resume(tmp_path / "whole" / "checkpoints" / "epoch_001.pt")
    resumed.fit()
    states = [each.state.state_dict() for each in (run, resumed)]
    kept = ("model", "ema", "optimizer", "schedule", "rng")
    assert unequal({part: states[0][part] for part in kept}, {part: states[1][part] for part in kept}) == []


def test_parts_of_the_loss_of_pre_training_are_in_the_history(tmp_path: Path) -> None:
    run = mesh_run(tmp_path, "nomeformer_pretrain", epochs=1)
    run.fit()
    assert {"train/loss/embedding", "train/loss/features", "train/loss/probe", "val/loss"} <= run.history[0].keys()
    model = run.state.model
    assert isinstance(model, MaskedPretraining)
    assert model.updates == 3  # one each step
    pairs: list[tuple[Tensor, Tensor]] = list(zip(model.target.parameters(), model.encoder.parameters(), strict=True))
    assert not all(torch.equal(target, learned) for target, learned in pairs)
