"""What follows an optimizer step: schedule and EMA move on, unless GradScaler skipped it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segmentation.engine.state import TrainState


class AfterStep:
    """Moves schedule and EMA on after every optimizer step that was taken.

    GradScaler skips a step whose gradients are not finite. The device knows that long before the host does, and to ask
    at once is to wait. So their norm, which is not finite when one of them is not, goes to the host while the next
    batches are computed, and `settle` reads it when the next step is due: the parameters are still those of this one.
    The buffers are not (batch norms change theirs in the forward pass) and are set aside for the EMA.

    Fused optimizers (Adam, AdamW) skip on the device too; with the others (SGD) `scaler.step` itself waits for it.
    """

    def __init__(self, state: TrainState) -> None:
        self._state = state
        self._pending: _Pending | None = None

    def follow(self, norm: Tensor | None) -> None:
        """Right after an optimizer step. `norm`: of its gradients; None: nothing was scaled, so the step was taken."""
        if norm is None:
            self._move_on(None)
            return
        arriving = norm.to("cpu", non_blocking=True)  # into pinned memory
        arrived = torch.cuda.current_stream(norm.device).record_event() if norm.is_cuda else None
        with_ema = self._state.ema is not None
        self._pending = _Pending(
            arriving, arrived, [buffer.clone() for buffer in self._state.model.buffers()] if with_ema else None
        )

    def settle(self) -> None:
        """Before the next optimizer step, and at the end of the epoch."""
        if self._pending is not None and self._pending.was_taken():
            self._move_on(self._pending.buffers)
        self._pending = None

    def _move_on(self, buffers: Sequence[Tensor] | None) -> None:
        self._state.schedule.step()
        if self._state.ema is not None:
            self._state.ema.update_parameters(self._state.model, buffers)


@dataclass(frozen=True)
class _Pending:
    """A step of which the host does not know yet whether it was taken."""

    norm: Tensor
    arrived: torch.cuda.Event | None
    buffers: Sequence[Tensor] | None

    def was_taken(self) -> bool:
        if self.arrived is not None:
            self.arrived.synchronize()
        return math.isfinite(self.norm.item())
