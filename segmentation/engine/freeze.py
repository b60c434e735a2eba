"""A pre-trained encoder may rest while decoder and head learn to use it."""

from collections.abc import Sequence

from torch import nn

from segmentation.errors import UserError


def to_training(model: nn.Module, trained: Sequence[nn.Parameter], epoch: int, freeze_encoder_epochs: int) -> None:
    """Put `model` in training mode for the epoch of this number, from 0.

    In the first `freeze_encoder_epochs` its encoder gets no gradients and its batch norms keep their statistics; later
    those of its parameters that are `trained` (the optimizer has them from the start) get gradients like all others.
    It follows from the epoch alone, so that a resumed run thaws when it should.
    """
    frozen = epoch < freeze_encoder_epochs
    encoder = encoder_of(model) if freeze_encoder_epochs else None
    if encoder is not None:
        within = set(encoder.parameters())
        if within.issuperset(trained):
            raise UserError(
                "trainer.freeze_encoder_epochs: nothing but the encoder is trained (model.trainable); give 0"
            )
        for parameter in trained:
            if parameter in within:
                parameter.requires_grad_(not frozen)
    model.train()
    if encoder is not None and frozen:
        for module in encoder.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def encoder_of(model: nn.Module) -> nn.Module:
    """Raises `UserError` for a model that has none."""
    encoder = getattr(model, "encoder", None)
    if not isinstance(encoder, nn.Module):
        raise UserError(
            f"trainer.freeze_encoder_epochs: {type(model).__name__} has no encoder; give 0, or freeze parameters by "
            "name with model.trainable"
        )
    return encoder
