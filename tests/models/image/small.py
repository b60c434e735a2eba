"""The shipped models with encoders and decoders small enough for tests, and the support table that tests fill."""

import torch
from torch import Tensor

from segmentation.build.model import build_model
from segmentation.build.training import build_options
from segmentation.classes import Classes
from segmentation.models.image.pixels import ImageModel
from tests.engine.configured import choices, configured

NAMES = ("sky", "road", "car", "tree", "wall")
CLASSES = Classes(NAMES, tuple((index, index, index) for index in range(len(NAMES))))
RESNET = ("model.encoder_name=tu-test_resnet", "+model.zero_init_last=false")  # as timm starts, gradients are 0
TRANSFORMER = "model.encoder_name=tu-test_vit"
OWN = ("model.network._target_=tests.models.image.own_network.OwnNetwork",)
SMALL: dict[str, tuple[str, ...]] = {
    "deeplabv3": (*RESNET, "model.encoder_output_stride=16", "model.decoder_channels=32"),
    "deeplabv3_resnet50": ("model.architecture=deeplabv3_mobilenet_v3_large", "model.auxiliary_head=true"),
    "deeplabv3plus": (*RESNET, "model.decoder_channels=32"),
    "dpt": (
        TRANSFORMER,
        "model.decoder_intermediate_channels=[16,16,16,16]",
        "model.decoder_fusion_channels=16",
    ),
    "dual_resolution": ("model.channels=8", "model.depth=1", "model.auxiliary_head=true"),
    "eomt": ("model.encoder_name=test_vit", "model.queries=8", "model.query_blocks=2"),
    "fpn": (*RESNET, "model.decoder_pyramid_channels=32", "model.decoder_segmentation_channels=64"),
    "own": OWN,
    "pspnet": (*RESNET, "model.psp_out_channels=64"),
    "segformer": ("model.decoder_segmentation_channels=32",),
    "unet": (*RESNET, "model.decoder_channels=[64,32,16,16,8]"),
    "unetplusplus": ("model.decoder_channels=[32,16,16,8,8]",),
    "upernet": ("model.encoder_name=tu-test_convnext", "model.decoder_channels=32"),
    "vit_linear": (TRANSFORMER,),
    "vit_upernet": (TRANSFORMER, "model.decoder_channels=32"),
    "linknet": RESNET,
}


def image_models() -> list[str]:
    """Every file of conf/model that is for images."""
    names = choices("model")
    targets = {name: str(configured(f"model={name}").model._target_) for name in names}
    return [name for name in names if targets[name].startswith("segmentation.models.image.")]


def build(name: str, *overrides: str, seed: int = 0) -> ImageModel:
    """As training builds it, small, with `overrides` as on the command line."""
    torch.manual_seed(seed)
    cfg = configured(f"model={name}", "trainer.channels_last=false", *SMALL.get(name, ()), *overrides)
    model = build_model(cfg, CLASSES, build_options(cfg, validates=True), torch.device("cpu"), pretrained=True)
    assert isinstance(model, ImageModel)
    return model


def pixels(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
