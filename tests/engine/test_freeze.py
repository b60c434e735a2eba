from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from segmentation.engine.freeze import to_training
from segmentation.errors import UserError
from tests.engine.test_state import assert_same_end
from tests.engine.toy import CLASSES, Run, TinyNet, adamw, build_run, options, unequal, weights

FROZEN = 2
CHOSEN = options(epochs=4, freeze_encoder_epochs=FROZEN, ema_decay=0.9, average_start=0.2, max_checkpoints=4)


class WithEncoder(nn.Module):
    """Convolution and batch norm as an encoder; the first convolution is never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8))
        self.encoder[0].requires_grad_(False)
        self.head = nn.Sequential(nn.BatchNorm2d(8), nn.Dropout(0.3), nn.Conv2d(8, len(CLASSES), 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.encoder(images)))


def run_in(path: Path, seed: int = 0) -> Run:
    return build_run(path, CHOSEN, net=WithEncoder, make_optimizer=adamw, lr=0.01, seed=seed)


def test_the_encoder_rests_for_its_epochs_and_is_trained_after_them(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    start = weights(run.state.model)
    run.fit()
    for epoch in range(1, 5):
        now = run.saved(f"epoch_{epoch:03d}")["model"]
        changed = {name for name, value in now.items() if not torch.equal(value, start[name])}
        encoder = {name for name in changed if name.startswith("encoder.")}
        always = {"encoder.0.weight", "encoder.0.bias"}
        assert encoder == (set() if epoch <= FROZEN else {n for n in start if n.startswith("encoder.")} - always)
        assert changed - encoder == {name for name in start if name.startswith("head.")}


def test_the_optimizer_has_the_encoder_from_the_start(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    names = {name for group in run.state.optimizer.param_groups for name in group["names"]}
    assert {"encoder.1.weight", "encoder.2.weight", "head.2.weight"} <= names
    assert "encoder.0.weight" not in names


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_a_resumed_run_thaws_when_it_should(tmp_path: Path, stopped_after: int) -> None:
    whole = run_in(tmp_path / "whole")
    whole.fit()
    resumed = run_in(tmp_path / "resumed", seed=77)
    resumed.state.model.get_submodule("encoder").load_state_dict(
        whole.state.model.get_submodule("encoder").state_dict()
    )
    resumed.resume(whole.folder.checkpoint(f"epoch_{stopped_after:03d}"))
    resumed.fit()
    assert_same_end(whole, resumed)


def test_batch_norms_of_a_resting_encoder_keep_their_statistics_and_no_others() -> None:
    model = WithEncoder()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for epoch, rests in ((0, True), (1, True), (2, False), (3, False)):
        to_training(model, trained, epoch, FROZEN)
        assert model.encoder[2].training is not rests
        assert model.head[0].training
        assert model.head[1].training
        assert [parameter.requires_grad for parameter in model.encoder.parameters()] == [False] * 2 + [not rests] * 4
        assert all(parameter.requires_grad for parameter in model.head.parameters())


def test_without_epochs_nothing_is_touched() -> None:
    model = WithEncoder().eval()
    model.encoder[1].requires_grad_(False)
    before = [parameter.requires_grad for parameter in model.parameters()]
    to_training(model, list(model.parameters()), 0, 0)
    assert [parameter.requires_grad for parameter in model.parameters()] == before
    assert model.training
    assert model.encoder[2].training


def test_a_model_without_an_encoder_is_refused(tmp_path: Path) -> None:
    run = build_run(tmp_path, options(freeze_encoder_epochs=1), net=TinyNet)
    with pytest.raises(UserError, match=r"TinyNet has no encoder; give 0, or .* model\.trainable"):
        run.fit()


def test_a_run_that_trains_nothing_else_is_refused() -> None:
    model = WithEncoder()
    with pytest.raises(UserError, match="nothing but the encoder is trained"):
        to_training(model, list(model.encoder.parameters()), 0, 1)


def test_freezing_changes_the_run(tmp_path: Path) -> None:
    """Else equal ends would prove little."""
    ends = []
    for epochs in (0, 1):
        chosen = options(epochs=2, freeze_encoder_epochs=epochs)
        run = build_run(tmp_path / str(epochs), chosen, net=WithEncoder, make_optimizer=adamw, lr=0.01)
        run.fit()
        ends.append(run.saved("last")["model"])
    assert unequal(*ends)
