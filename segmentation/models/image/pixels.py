"""What stands between raw pixels and a network: scaling, normalisation, padding and cropping back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmentation.models.depth import depths_from_features, depths_in_order
from segmentation.outputs import Outputs, logits_from

EncoderFeatures = Callable[[nn.Module, Tensor], Sequence[Tensor]]
MAX_PIXEL = 255.0


class ImageModel(nn.Module):
    """A segmentation network that takes pixels as they are stored.

    Input `[B, bands, H, W]` of any H and W, uint8 of 0-255 or floating-point in [0, 1]; output logits
    `[B, num_classes, H, W]`. Pixels are normalised with `mean` and `std` (on the scale [0, 1], one by band) and padded
    below and to the right with zeros, the mean colour, to a multiple of `divisor` of at least `smallest`; the logits
    are cropped back. All of it happens on the device: loaders ship bytes, an exported model needs no code around it.

    Where the network answers with a mapping of `"out"` and further heads, so does the model while it trains; maps
    `[B, C, h, w]` of a lower size lose their share of the padding. In evaluation the heads are dropped.

    `encoder` names the submodule of `network` that may start from pre-trained weights; `encoder_features(network,
    normalised)` runs it and returns its feature maps from the first stage to the last. A network without an encoder has
    neither. Batch norms whose parameters are frozen keep their statistics too: they stay in evaluation mode.
    """

    def __init__(
        self,
        network: nn.Module,
        encoder: str | None,
        encoder_features: EncoderFeatures | None,
        mean: Sequence[float],
        std: Sequence[float],
        divisor: int,
        smallest: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.divisor, self.smallest = divisor, smallest
        self._encoder, self._encoder_features = encoder, encoder_features
        shift = torch.tensor(list(mean)).view(1, -1, 1, 1) * MAX_PIXEL
        scale = 1 / (torch.tensor(list(std)).view(1, -1, 1, 1) * MAX_PIXEL)
        self.register_buffer("shift", shift, persistent=False)  # the run's config holds them, not its weights
        self.register_buffer("scale", scale, persistent=False)
        self.shift: Tensor
        self.scale: Tensor

    @property
    def encoder(self) -> nn.Module | None:
        """What may start from pre-trained weights."""
        return None if self._encoder is None else self.network.get_submodule(self._encoder)

    @property
    def progress(self) -> float:
        """How far training is, in [0, 1], as the loop sets it, for networks that change on the way."""
        return float(getattr(self.network, "progress", 0.0))

    @progress.setter
    def progress(self, progress: float) -> None:
        if hasattr(self.network, "progress"):
            setattr(self.network, "progress", progress)  # noqa: B010 -- an attribute that some networks have

    def forward(self, pixels: Tensor) -> Outputs:
        height, width = pixels.shape[-2:]
        unit = pixels * MAX_PIXEL if pixels.is_floating_point() else pixels
        normalised = (unit - self.shift) * self.scale
        tracing = torch.jit.is_tracing()  # type: ignore[attr-defined]
        larger: Any = torch.maximum if tracing else torch.sym_max
        below, right = (larger(-side % self.divisor, self.smallest - side) for side in (height, width))
        padding: Any = (0, right, 0, below)  # numbers, or symbols while it is exported
        if tracing or torch.compiler.is_exporting() or any(padding):  # to ask would fix the answer in what is exported
            normalised = F.pad(normalised, padding)
        outputs = self.network(normalised)
        if self.training and isinstance(outputs, Mapping) and len(outputs) > 1:
            padded = normalised.shape[-2:]
            return {name: _without_padding(head, padded, (height, width)) for name, head in outputs.items()}
        logits = logits_from(outputs)
        if torch.compiler.is_exporting() and not torch.onnx.is_in_onnx_export():
            # A slice keeps the padded strides, and the program would refuse sizes that are padded unlike the example's.
            rows, columns = (torch.arange(side, device=logits.device) for side in (height, width))
            return logits.index_select(-2, rows).index_select(-1, columns)
        return logits[..., :height, :width]

    def train(self, mode: bool = True) -> "ImageModel":
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and _is_frozen(module):
                module.eval()
        return self

    def parameter_depths(self) -> dict[str, int]:
        """0 for the encoder's first stage, up by one a stage; decoder and head are one beyond the last stage.

        A network without an encoder is taken in the order of its modules.
        """
        if self._encoder is None or self._encoder_features is None:
            return {f"network.{name}": depth for name, depth in depths_in_order(self.network).items()}
        prefix = f"network.{self._encoder}."
        encoder = {name: p for name, p in self.named_parameters() if name.startswith(prefix)}
        trained = {name: parameter.requires_grad for name, parameter in encoder.items()}
        was_training = self.training
        side = self.divisor * max(2, 64 // self.divisor)
        pixels = torch.zeros(1, self.shift.shape[1], side, side, device=self.shift.device)
        try:
            self.eval()  # batch norms must not learn from the zeros
            for parameter in encoder.values():
                parameter.requires_grad_(True)
            with torch.enable_grad():
                depths = depths_from_features(self._encoder_features(self.network, pixels), encoder)
        finally:
            for name, parameter in encoder.items():
                parameter.requires_grad_(trained[name])
            self.train(was_training)
        head = max(depths.values(), default=-1) + 1
        return {name: depths.get(name, head) for name, _ in self.named_parameters()}


def freeze_unused(model: ImageModel) -> ImageModel:
    """Freeze the parameters on which the logits do not depend, such as an encoder's stages beyond `encoder_depth`:
    gradients of theirs would be missing in every step. Returns the model.
    """
    was_training = model.training
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    pixels = torch.zeros(1, model.shift.shape[1], 64, 64, dtype=torch.uint8, device=model.shift.device)
    with torch.enable_grad():
        logits = logits_from(model.eval()(pixels))
    gradients = torch.autograd.grad(logits.sum(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.requires_grad_(gradient is not None)
    model.train(was_training)
    return model


def _without_padding(head: Tensor, padded: Sequence[int], size: Sequence[int]) -> Tensor:
    """Of a map `[B, C, h, w]` of the padded image, of any scale, what shows the image itself."""
    if head.ndim != 4 or tuple(padded) == tuple(size):
        return head
    rows, columns = (
        -(-side * length // whole) for side, length, whole in zip(head.shape[-2:], size, padded, strict=True)
    )
    return head[..., :rows, :columns]


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters(recurse=False))
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
