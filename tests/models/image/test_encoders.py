from pathlib import Path

import pytest
import segmentation_models_pytorch as smp

from segmentation.models.image.encoders import encoders_like, facts_of


def test_names_are_found_by_pattern() -> None:
    assert encoders_like("resnet?8") == ["resnet18"]
    assert encoders_like("tu-test_vit?") == ["tu-test_vit2", "tu-test_vit3", "tu-test_vit4"]
    assert encoders_like("nothing*") == []


@pytest.mark.parametrize(
    ("name", "millions", "strides"),
    [
        ("resnet18", 11.18, (2, 4, 8, 16, 32)),  # 11.69 with the classifier's 0.51
        ("mit_b0", 3.32, (4, 8, 16, 32)),
        ("tu-test_convnext", 0.2, (4, 8, 16, 32)),
        ("tu-vit_tiny_patch16_224", 5.7, (16, 16, 16, 16)),
    ],
)
def test_parameters_and_strides(name: str, millions: float, strides: tuple[int, ...]) -> None:
    facts = facts_of(name)
    assert facts.parameters / 1e6 == pytest.approx(millions, abs=0.1)
    assert facts.strides == strides


def test_weights_that_lie_in_the_hubs_cache_are_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert facts_of("resnet18").weights == {"imagenet": False, "ssl": False, "swsl": False}
    hub = smp.encoders.encoders["resnet18"]["pretrained_settings"]["imagenet"]
    folder = tmp_path / f"models--{hub['repo_id'].replace('/', '--')}" / "snapshots" / hub["revision"]
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    assert facts_of("resnet18").weights == {"imagenet": True, "ssl": False, "swsl": False}
