"""Transforms of albumentations for a batch at once, on any device: parameters as albumentations draws them for each
sample in; images `[B, C, H, W]` float in [0, 1] and masks `[B, H, W]` of class ids in and out.

Each function takes the transform (for what it has beside drawn parameters), the images, the masks and the parameters of
each sample. Images are interpolated linearly, masks never.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import albumentations
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Drawn = Sequence[Mapping[str, Any]]
Pair = tuple[Tensor, Tensor]
Apply = Callable[[Any, Tensor, Tensor, Drawn], Pair]
BORDERS = {cv2.BORDER_CONSTANT: "zeros", cv2.BORDER_REPLICATE: "border", cv2.BORDER_REFLECT_101: "reflection"}
GREY = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601
ROWS, COLUMNS = -2, -1
SYMMETRIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "e": lambda x: x,
    "r90": lambda x: x.rot90(1, (ROWS, COLUMNS)),
    "r180": lambda x: x.rot90(2, (ROWS, COLUMNS)),
    "r270": lambda x: x.rot90(3, (ROWS, COLUMNS)),
    "v": lambda x: x.flip(ROWS),
    "h": lambda x: x.flip(COLUMNS),
    "t": lambda x: x.transpose(ROWS, COLUMNS),
    "hvt": lambda x: x.transpose(ROWS, COLUMNS).flip(ROWS, COLUMNS),
}


# Where pixels go.


def flip_columns(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    return images.flip(COLUMNS), masks.flip(COLUMNS)


def flip_rows(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    return images.flip(ROWS), masks.flip(ROWS)


def square_symmetry(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    """A picture that is turned by 90 degrees and is not square keeps its shape: the largest window in its middle that
    has this shape is enlarged.
    """
    size = (masks.shape[ROWS], masks.shape[COLUMNS])
    turns = [SYMMETRIES[str(parameters["group_element"])] for parameters in drawn]
    return (
        torch.stack([_fitted(turn(image), size, "bilinear") for turn, image in zip(turns, images, strict=True)]),
        torch.stack(
            [_fitted(turn(mask)[None], size, "nearest-exact")[0] for turn, mask in zip(turns, masks, strict=True)]
        ),
    )


def _fitted(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """`x` `[C, h, w]`"""
    height, width = x.shape[ROWS:]
    if (height, width) == size:
        return x
    scale = min(height / size[0], width / size[1])
    rows, columns = max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    window = x[None, :, top : top + rows, left : left + columns]
    return F.interpolate(window.float(), size, mode=mode)[0].to(x.dtype)


def crop(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    windows = []
    for image, mask, parameters in zip(images, masks, drawn, strict=True):
        left, top, right, bottom = parameters["crop_coords"]
        windows.append((image[:, top:bottom, left:right], mask[top:bottom, left:right]))
    return torch.stack([image for image, _ in windows]), torch.stack([mask for _, mask in windows])


def affine(transform: albumentations.Affine, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    """Scale, translation, rotation and shear about the middle; `matrix` takes pixels (x, y, 1) to where they go."""
    height, width = masks.shape[ROWS:]
    matrices = np.stack([np.linalg.inv(np.asarray(parameters["matrix"])) for parameters in drawn])
    (xx, xy, x0), (yx, yy, y0) = (
        torch.from_numpy(matrices).float().to(images.device).permute(1, 2, 0)[:2, ..., None, None]
    )
    rows = torch.arange(height, device=images.device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=images.device, dtype=torch.float32)
    x, y = xx * columns + xy * rows + x0, yx * columns + yy * rows + y0  # [B, H, W], where pixels come from
    border = BORDERS[transform.border_mode]
    return _sampled(images, x, y, border), _nearest(masks, x, y, border, int(transform.fill_mask))


def _sampled(images: Tensor, x: Tensor, y: Tensor, border: str) -> Tensor:
    """Corners are aligned: "reflection" is about the outermost pixels then, as OpenCV's REFLECT_101."""
    height, width = images.shape[ROWS:]
    grid = torch.stack([x * 2 / max(width - 1, 1) - 1, y * 2 / max(height - 1, 1) - 1], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=border, align_corners=True)


def _nearest(masks: Tensor, x: Tensor, y: Tensor, border: str, fill: int) -> Tensor:
    height, width = masks.shape[ROWS:]
    columns, rows = x.round().long(), y.round().long()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if border == "reflection":
        rows, columns = _reflected(rows, height), _reflected(columns, width)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    taken = masks.flatten(1).gather(1, (rows * width + columns).flatten(1)).view_as(rows)
    return torch.where(inside, taken, fill) if border == "zeros" else taken


def _reflected(index: Tensor, length: int) -> Tensor:
    """3 2 1 0 1 2 3 2 1 ... of a length of 4"""
    period = max(2 * (length - 1), 1)
    index = index.remainder(period)
    return torch.minimum(index, period - index)


# What becomes of colours.


def brightness_contrast(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    return (images * _each(drawn, "alpha", images) + _each(drawn, "beta", images)).clamp(0, 1), masks


def gamma(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    return images ** _each(drawn, "gamma", images), masks


def _each(drawn: Drawn, name: str, images: Tensor) -> Tensor:
    """A parameter of all samples `[B, 1, 1, 1]`."""
    values = [float(parameters[name]) for parameters in drawn]
    return torch.tensor(values, dtype=images.dtype, device=images.device).view(-1, 1, 1, 1)


def color_jitter(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    """Brightness, contrast, saturation and hue in the order that each sample has; of grey images the first two."""
    changes = (_brightness, _contrast, _saturation, _hue)[: 4 if images.shape[1] == 3 else 2]
    names = ("brightness", "contrast", "saturation", "hue")
    orders = np.array([parameters["order"] for parameters in drawn])
    images = images.clone()
    for turn in range(len(names)):
        for number, change in enumerate(changes):
            chosen = np.flatnonzero(orders[:, turn] == number).tolist()
            if chosen:
                factors = _each([drawn[place] for place in chosen], names[number], images)
                images[chosen] = change(images[chosen], factors).clamp(0, 1)
    return images, masks


def _brightness(images: Tensor, factors: Tensor) -> Tensor:
    return images * factors


def _contrast(images: Tensor, factors: Tensor) -> Tensor:
    grey = _grey(images) if images.shape[1] == 3 else images
    return torch.lerp(grey.mean((1, 2, 3), keepdim=True), images, factors)


def _saturation(images: Tensor, factors: Tensor) -> Tensor:
    return torch.lerp(_grey(images), images, factors)


def _grey(images: Tensor) -> Tensor:
    weights = torch.tensor(GREY, dtype=images.dtype, device=images.device).view(-1, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _hue(images: Tensor, turns: Tensor) -> Tensor:
    """`turns` of the colour circle. Value and saturation stay, so do greys (Smith, SIGGRAPH 1978)."""
    value, lead = images.max(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    red, green, blue = (images[:, channel : channel + 1] for channel in range(3))
    sixth = torch.where(lead == 0, green - blue, torch.where(lead == 1, blue - red, red - green))
    hue = sixth / chroma.clamp(min=1e-8) + 2 * lead + 6 * turns  # in sixths of the circle
    offsets = torch.tensor([5.0, 3.0, 1.0], dtype=images.dtype, device=images.device).view(-1, 1, 1)
    place = (hue + offsets).remainder(6)
    return value - chroma * torch.minimum(place, 4 - place).clamp(0, 1)


def blur(_: Any, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    """With the `kernel` `[k]` of each sample along rows and columns; beyond its edge an image is its mirror image."""
    count, channels, height, width = images.shape
    reach = max(len(parameters["kernel"]) for parameters in drawn) // 2
    kernels = torch.tensor(
        np.stack([np.pad(parameters["kernel"], reach - len(parameters["kernel"]) // 2) for parameters in drawn]),
        dtype=images.dtype,
        device=images.device,
    ).repeat_interleave(channels, 0)[:, None, None]
    x = F.pad(images.reshape(1, count * channels, height, width), [reach] * 4, mode="reflect")
    x = F.conv2d(F.conv2d(x, kernels, groups=len(kernels)), kernels.transpose(2, 3), groups=len(kernels))
    return x.view_as(images), masks


def noise(transform: albumentations.GaussNoise, images: Tensor, masks: Tensor, drawn: Drawn) -> Pair:
    """Of the `mean` and `std` that were drawn, with a generator of the `seed` of the first sample."""
    count, channels, height, width = images.shape
    generator = torch.Generator(images.device).manual_seed(drawn[0]["seed"])
    shape = (count, channels if transform.per_channel else 1, height, width)
    values = torch.randn(shape, generator=generator, device=images.device)
    return (images + values * _each(drawn, "std", images) + _each(drawn, "mean", images)).clamp(0, 1), masks


ONLY: Mapping[str, Mapping[str, Collection[Any]]] = {  # the values that are known of options with more of them
    "Affine": {
        "border_mode": tuple(BORDERS),
        "fill": (0,),
        "fit_output": (False,),
        "interpolation": (cv2.INTER_LINEAR,),
        "mask_interpolation": (cv2.INTER_NEAREST,),
    },
    "RandomCrop": {"p": (1,), "pad_if_needed": (False,)},
    "RandomBrightnessContrast": {"brightness_by_max": (True,)},
    "GaussNoise": {"noise_scale_factor": (1,)},
}
APPLY: Mapping[str, Apply] = {
    "HorizontalFlip": flip_columns,
    "VerticalFlip": flip_rows,
    "D4": square_symmetry,
    "SquareSymmetry": square_symmetry,
    "RandomCrop": crop,
    "Affine": affine,
    "RandomBrightnessContrast": brightness_contrast,
    "RandomGamma": gamma,
    "ColorJitter": color_jitter,
    "GaussianBlur": blur,
    "GaussNoise": noise,
}
