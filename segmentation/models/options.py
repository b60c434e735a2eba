"""What every model can be told beside its own options."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from segmentation.models.activation import replace_activations
from segmentation.models.gradient_checkpointing import checkpoint_blocks
from segmentation.models.start import freeze_all_but, load_start


@dataclass(frozen=True)
class ModelOptions:
    """See conf/model/shared/options.yaml."""

    activation: str | None = None
    activation_in_encoder: bool = False
    checkpoint: str | None = None
    trainable: Sequence[str] | None = None
    gradient_checkpointing: bool = False

    def apply_to(self, model: nn.Module, pretrained: bool) -> None:
        """Not `pretrained`: the weights come from the run's own checkpoint. Raises `UserError` for what has no effect.

        Only a model with an `encoder` has a part that keeps its activations, and that alone is recomputed.
        """
        encoder = getattr(model, "encoder", None)
        if self.activation is not None:
            replace_activations(model, self.activation, None if self.activation_in_encoder else encoder)
        if self.checkpoint is not None and pretrained:
            load_start(model, Path(self.checkpoint))
        if self.trainable is not None:
            freeze_all_but(model, self.trainable)
        if self.gradient_checkpointing:
            checkpoint_blocks(encoder or model)
