"""The loss of mask transformers: masks with a class each, matched to those of the truth."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from segmentation.errors import UserError
from segmentation.losses.base import Loss, LossValue, checked
from segmentation.losses.cross_entropy import CrossEntropy
from segmentation.losses.means import weighted_mean
from segmentation.losses.truth import class_logits
from segmentation.outputs import MaskPrediction, Outputs


class Truth(NamedTuple):
    """Of each class in each image, as shares of the area of each of the P cells of a mask: `masks` `[B, C, P]`, those
    that show the class, and `valid` `[B, 1, P]`, those that show any. `present` `[B, C]` says which classes there are.
    """

    masks: Tensor
    valid: Tensor
    present: Tensor


class Match(NamedTuple):
    """Query `query[i]` of image `image[i]` is the one for the class `label[i]`, for every class of every image."""

    image: Tensor
    query: Tensor
    label: Tensor


class MaskClassification(Loss):
    """Each class of an image is a mask that one query has to find; Mask2Former (Cheng et al. 2022, arXiv 2112.01527) as
    EoMT uses it (arXiv 2503.19108).

    Outputs are a mapping that holds, of every prediction i of the queries, `masks/i` and `classes/i` (see
    `MaskPrediction`). Classes and queries are matched one to one so that

        class * (-p(label)) + mask * BCE + dice * Dice

    is least in sum (Hungarian method); of the matched, `class` weighs the cross-entropy, `mask` the binary
    cross-entropy, the mean over the valid area of an image, and `dice` one minus the soft Dice with 1 added to both
    halves. Queries that are matched to nothing learn the class `no object`, with weight `no_object`. The total is the
    sum over the predictions; the parts are unweighted means over them. Logits of a cell count for all pixels that lie
    in it, so nothing is sampled. An image that is void as a whole teaches nothing.

    Matching takes place on the CPU: the one loss that waits for the device, once a step. In evaluation, which is where
    no gradient is taken, models give no masks: it is the cross-entropy of the main output, and so not to be compared
    with training's. Raises `UserError` for a weight below 0 and, when called, for outputs without masks and for label
    maps.
    """

    takes_one_logit = False

    def __init__(
        self,
        ignore_index: int = 255,
        class_weight: float = 2.0,
        mask_weight: float = 5.0,
        dice_weight: float = 5.0,
        no_object: float = 0.1,
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.class_weight = _checked("class_weight", class_weight)
        self.mask_weight = _checked("mask_weight", mask_weight)
        self.dice_weight = _checked("dice_weight", dice_weight)
        self.no_object = _checked("no_object", no_object)
        self.evaluation = CrossEntropy(ignore_index)

    def forward(self, outputs: Outputs, target: Tensor) -> LossValue:
        logits = class_logits(outputs, target)
        if not torch.is_grad_enabled():
            value: LossValue = self.evaluation(logits, target)
            return value
        with torch.autocast(target.device.type, enabled=False):
            predictions = _predictions(outputs)
            height, width = predictions[0].masks.shape[-2:]
            truth = truth_of(target, logits.shape[1], height, width, self.ignore_index)
            matches = self.matches(predictions, truth)
            parts = [self._parts(*pair, truth) for pair in zip(predictions, matches, strict=True)]
        sums = torch.stack([torch.stack(values) for values in parts]).sum(dim=0)
        total = self.class_weight * sums[0] + self.mask_weight * sums[1] + self.dice_weight * sums[2]
        means = (sums / len(parts)).detach()
        return LossValue(total, dict(zip(("class", "mask", "dice"), means, strict=True)))

    @torch.no_grad()
    def matches(self, predictions: Sequence[MaskPrediction], truth: Truth) -> list[Match]:
        """Of every prediction. Where there are more classes than queries the costliest are left out."""
        costs = torch.stack([self._costs(prediction, truth) for prediction in predictions], dim=1)
        device = costs.device
        costs, present = costs.nan_to_num().cpu(), truth.present.cpu()  # what is not finite shows in the loss
        labels = [row.nonzero()[:, 0] for row in present]
        return [_assigned([image[index] for image in costs], labels, device) for index in range(len(predictions))]

    def _costs(self, prediction: MaskPrediction, truth: Truth) -> Tensor:
        """`[B, Q, C]`, of every query for every class."""
        masks = prediction.masks.flatten(2)
        area = truth.valid.sum(dim=2, keepdim=True).clamp(min=1e-6)
        # Of BCE(x, g) = softplus(x) - x g the sum over cells is a product of matrices.
        bce = ((F.softplus(masks) * truth.valid).sum(dim=2, keepdim=True) - masks @ truth.masks.mT) / area
        inside = masks.sigmoid() * truth.valid
        both, either = (
            masks.sigmoid() @ truth.masks.mT,
            inside.sum(dim=2, keepdim=True) + truth.masks.sum(dim=2)[:, None],
        )
        dice = 1 - (2 * both + 1) / (either + 1)
        named = prediction.classes.softmax(dim=-1)[..., :-1]
        return self.mask_weight * bce + self.dice_weight * dice - self.class_weight * named

    def _parts(self, prediction: MaskPrediction, match: Match, truth: Truth) -> tuple[Tensor, Tensor, Tensor]:
        """The losses of class, mask and Dice."""
        no_object = prediction.classes.shape[2] - 1
        label = torch.full(prediction.classes.shape[:2], no_object, device=prediction.classes.device)
        label[match.image, match.query] = match.label
        weight = torch.where(label == no_object, self.no_object, 1.0) * truth.present.any(dim=1, keepdim=True)
        each = F.cross_entropy(prediction.classes.transpose(1, 2), label, reduction="none")

        masks = prediction.masks.flatten(2)[match.image, match.query]
        wanted, valid = truth.masks[match.image, match.label], truth.valid[match.image, 0]
        bce = ((F.softplus(masks) * valid - masks * wanted).sum(dim=1) / valid.sum(dim=1)).sum()
        inside = masks.sigmoid()
        overlap, areas = (inside * wanted).sum(dim=1), (inside * valid + wanted).sum(dim=1)
        dice = (1 - (2 * overlap + 1) / (areas + 1)).sum()
        count = max(len(match.label), 1)
        return weighted_mean(each, weight), bce / count, dice / count


def truth_of(target: Tensor, num_classes: int, height: int, width: int, ignore_index: int) -> Truth:
    """Of class ids `[B, H, W]`, in `height` x `width` cells. A pixel belongs to the cell that its corner lies in."""
    batch, rows, columns = target.shape
    row = torch.arange(rows, device=target.device) * height // rows
    column = torch.arange(columns, device=target.device) * width // columns
    cell = (row[:, None] * width + column).flatten()
    slot = target.where(target != ignore_index, num_classes).flatten(1) * (height * width) + cell
    counts = torch.zeros(batch, (num_classes + 1) * height * width, device=target.device)
    counts.scatter_add_(1, slot, torch.ones_like(slot, dtype=counts.dtype))
    shares = counts.view(batch, num_classes + 1, -1)[:, :-1] * (height * width / (rows * columns))
    return Truth(shares, shares.sum(dim=1, keepdim=True), shares.any(dim=2))


def _assigned(costs: Sequence[Tensor], labels: Sequence[Tensor], device: torch.device) -> Match:
    """The cheapest matching in each image: costs `[Q, C]` of the classes that are there."""
    images, queries, matched = [], [], []
    for image, (cost, present) in enumerate(zip(costs, labels, strict=True)):
        rows, columns = linear_sum_assignment(cost[:, present].numpy())
        images.append(torch.full((len(rows),), image))
        queries.append(torch.from_numpy(rows))
        matched.append(present[torch.from_numpy(columns)])
    return Match(*(torch.cat(indices).to(device) for indices in (images, queries, matched)))


def _predictions(outputs: Outputs) -> list[MaskPrediction]:
    heads = {} if isinstance(outputs, Tensor) else outputs
    names = [name.removeprefix("masks/") for name in heads if name.startswith("masks/")]
    if not names:
        raise UserError(
            "loss=mask_classification: the model gives no masks to learn from; use model=eomt, or another loss"
        )
    return [MaskPrediction(heads[f"masks/{name}"].float(), heads[f"classes/{name}"].float()) for name in names]


def _checked(name: str, weight: float) -> float:
    return checked(name, weight, 0 <= weight < inf, "a finite number >= 0")
