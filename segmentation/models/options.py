"""What every model can be told beside its own options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from torch import nn

from segmentation.errors import UserError
from segmentation.models.activation import replace_activations
from segmentation.models.gradient_checkpointing import checkpoint_blocks
from segmentation.models.start import freeze_all_but, load_start


@dataclass(frozen=True)
class ModelOptions:
    """See conf/model/shared/options.yaml."""

    activation: str | None = None
    activation_in_encoder: bool = False
    checkpoint: str | Mapping[str, str] | None = None
    trainable: Sequence[str] | None = None
    gradient_checkpointing: bool = False
    one_logit: bool = False

    def logits_for(self, num_classes: int) -> int:
        """How many there are of a pixel. Raises `UserError` where one is to tell apart what is not two classes."""
        if self.one_logit and num_classes != 2:
            raise UserError(f"model.one_logit=true: one logit tells two classes apart, the data has {num_classes}")
        return 1 if self.one_logit else num_classes

    def apply_to(self, model: nn.Module, pretrained: bool) -> None:
        """Not `pretrained`: the weights come from the run's own checkpoint. Raises `UserError` for what has no effect.

        Only a model with an `encoder` has a part that keeps its activations, and that alone is recomputed.
        """
        encoder = getattr(model, "encoder", None)
        if self.activation is not None:
            replace_activations(model, self.activation, None if self.activation_in_encoder else encoder)
        if self.checkpoint is not None and pretrained:
            starts = {"": self.checkpoint} if isinstance(self.checkpoint, str) else self.checkpoint
            for part, path in starts.items():
                load_start(model, Path(path), part)
        if self.trainable is not None:
            freeze_all_but(model, self.trainable)
        if self.gradient_checkpointing:
            checkpoint_blocks(encoder or model)


MODEL_SHARED = {field.name for field in fields(ModelOptions)}  # keys of every model's YAML
