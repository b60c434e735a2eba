"""An average of weights needs batch-norm statistics of its own: an average of statistics is not what it produces."""

from collections.abc import Callable, Iterable
from itertools import islice

import torch
from torch import nn

from segmentation.data.batch import Batch
from segmentation.engine.checkpoints import save_average
from segmentation.engine.state import TrainState
from segmentation.engine.task import Feed, Task, training_batches
from segmentation.runtime.console import progress_bar
from segmentation.runtime.device import Precision
from segmentation.runtime.run_folder import RunFolder

MOST = 200  # batches: more change the statistics no more


def refresh_average(state: TrainState, feed: Feed, task: Task, folder: RunFolder) -> None:
    """Write average.pt with batch-norm statistics of its own, from an epoch of training samples or its first MOST
    batches, and after a trial of a few steps from no more than those. The other checkpoints keep the state before, so
    that a run that goes on from them averages on.
    """
    average = state.average
    batch_norms = [] if average is None else batch_norms_to_refresh(average.module, state.model)
    if average is None or not int(average.n_averaged) or not batch_norms:
        return
    count = min(len(feed.train), MOST, state.progress.step)
    with progress_bar("batch norms of the average", count) as bar:
        batches = islice(training_batches(feed, task.device, state.progress.epoch), count)
        refresh_batch_norms(average.module, batch_norms, batches, task.device, task.precision, bar.advance)
    save_average(folder, average, state.progress.epoch)


def batch_norms_to_refresh(average: nn.Module, model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Those of `average` whose statistics `model` learns: not those that are frozen, or that keep none."""
    found = []
    for ours, trained in zip(average.modules(), model.modules(), strict=True):
        if isinstance(ours, nn.modules.batchnorm._BatchNorm) and ours.track_running_stats:
            parameters = list(trained.parameters(recurse=False))
            if not parameters or any(parameter.requires_grad for parameter in parameters):
                found.append(ours)
    return found


@torch.inference_mode()
def refresh_batch_norms(
    average: nn.Module,
    batch_norms: list[nn.modules.batchnorm._BatchNorm],
    batches: Iterable[Batch],
    device: torch.device,
    precision: Precision,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Set the statistics of the `batch_norms` within `average` to their mean over `batches` (Izmailov et al. 2018,
    arXiv 1803.05407). The rest stays in evaluation mode, so that nothing random is drawn (torch's `update_bn` drops
    features on the way); afterwards all of it is.
    """
    average.eval()
    momenta = [batch_norm.momentum for batch_norm in batch_norms]
    for batch_norm in batch_norms:
        batch_norm.reset_running_stats()
        batch_norm.momentum = None  # the mean of all batches
        batch_norm.train()
    for batch in batches:
        with precision.autocast(device):
            average(batch.inputs)
        advance()
    for batch_norm, momentum in zip(batch_norms, momenta, strict=True):
        batch_norm.momentum = momentum
    average.eval()
