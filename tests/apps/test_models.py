from pathlib import Path

import pytest

from segmentation.apps.models import BEGIN, END, read_support, tell_encoders, tell_models
from segmentation.errors import UserError
from tests.engine.configured import choices
from tests.models.image.support import Support


def test_every_model_is_listed() -> None:
    table = tell_models()
    for name in choices("model"):
        assert f"\n{name} " in table


def test_an_encoder_is_a_row() -> None:
    (row,) = [line for line in tell_encoders("resnet18").splitlines() if line.startswith("resnet18")]
    for cell in ("11.2 M", "2, 4, 8, 16, 32", "imagenet"):
        assert cell in row


@pytest.mark.parametrize(("pattern", "says"), [("resnet17", "did you mean resnet18?"), ("tu-vit_huge_", "tu-vit_huge")])
def test_a_pattern_without_a_match_is_told(pattern: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        tell_encoders(pattern)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_the_contract_test_wrote_is_read(tmp_path: Path) -> None:
    page, support = tmp_path / "models.md", Support()
    page.write_text(f"| another |\n{BEGIN}\nold\n{END}\nafter\n")
    with support.noting("unet", "ONNX"):
        pass
    with pytest.raises(ValueError, match="broken"), support.noting("fpn", "ONNX"):
        raise ValueError("broken")
    with support.noting("fpn", "torch.compile"):
        pass
    support.write(page)
    text = page.read_text()
    assert text.startswith(f"| another |\n{BEGIN}\n| model")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert read_support(text) == {
        "fpn": {"ONNX": "no", "torch.compile": "yes"},
        "unet": {"ONNX": "yes", "torch.compile": "not tried"},
    }
