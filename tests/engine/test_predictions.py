import torch
from torch import Tensor, nn

from segmentation.data.batch import Batch
from segmentation.engine.predictions import predictions
from segmentation.outputs import Outputs
from tests.engine.toy import CPU, FP32


class DropsInTraining(nn.Module):
    """Twice the inputs, at half their size; with an auxiliary head; nothing at all in training."""

    def forward(self, inputs: Tensor) -> Outputs:
        main = 2 * inputs[..., ::2, ::2]
        return {"out": main * (not self.training), "aux": -main}


def test_logits_are_the_main_ones_at_the_size_of_the_masks_in_the_order_of_the_batches() -> None:
    target = torch.zeros(1, 4, 6, dtype=torch.uint8)
    batches = [Batch(torch.full((1, 3, 4, 6), float(value)), target, (str(value),)) for value in (1, 2)]
    given = list(predictions(DropsInTraining(), batches, CPU, FP32))
    assert [batch.keys for batch, _ in given] == [("1",), ("2",)]
    for value, (batch, logits) in enumerate(given, 1):
        assert torch.equal(logits, torch.full((1, 3, 4, 6), 2.0 * value))
        assert batch.target.dtype == torch.int64
        assert not logits.requires_grad
    assert torch.is_grad_enabled()
