"""Steps that are taken to see what happens, and taken back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

import torch
from torch import Tensor

from segmentation.data.batch import Batch
from segmentation.engine.clipping import clip_gradients
from segmentation.engine.options import TrainerOptions
from segmentation.engine.state import TrainState
from segmentation.engine.task import Task


@contextmanager
def taken_back(state: TrainState) -> Iterator[None]:
    """However it ends, the whole state, random numbers included, is afterwards as it was before."""
    kept = BytesIO()
    torch.save(state.state_dict(), kept)
    try:
        yield
    finally:
        kept.seek(0)
        state.optimizer.zero_grad(set_to_none=True)
        state.load_state_dict(torch.load(kept, map_location="cpu", weights_only=True))


def try_step(state: TrainState, window: Sequence[Batch], task: Task, options: TrainerOptions) -> Tensor:
    """One optimizer step on the batches of a window as the loop takes it, without schedule and EMA; the mean loss, a
    scalar on the device.
    """
    losses = []
    for batch in window:
        with task.precision.autocast(task.device):
            outputs = state.model(batch.inputs)
        loss = task.loss(outputs, batch.target).total
        state.scaler.scale(loss / len(window)).backward()
        losses.append(loss.detach())
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    state.scaler.unscale_(state.optimizer)
    clip_gradients(parameters, options.gradient_clip_val, options.gradient_clip_mode, measure=False)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    return torch.stack(losses).mean()
