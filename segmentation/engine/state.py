"""Everything that training changes, in one place: saved and restored together, so that a resumed run ends equal."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from segmentation.engine.ema import WeightAverage
from segmentation.engine.schedule import Schedule
from segmentation.errors import UserError
from segmentation.runtime.seeds import rng_state, set_rng_state

Row = dict[str, Any]


@dataclass
class Progress:
    """`epoch` and `step` count what is finished; `history` has a row an epoch, `best` values None before the first."""

    epoch: int = 0
    step: int = 0
    history: list[Row] = field(default_factory=list)
    best_value: float | None = None
    best_epoch: int | None = None
    stopping_value: float | None = None
    stopping_wait: int = 0
    kept: dict[str, float] = field(default_factory=dict)  # checkpoints among the best: name -> monitored value


@dataclass
class TrainState:
    """`ema` and `average` are None when they are off; a `scaler` that is not enabled does nothing."""

    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    scaler: GradScaler
    ema: WeightAverage | None = None
    average: WeightAverage | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def evaluated_model(self) -> nn.Module:
        """The EMA's weights where there are any, else the raw ones."""
        return self.model if self.ema is None else self.ema.module

    def state_dict(self) -> dict[str, Any]:
        """Plain containers and tensors."""
        return {
            "model": self.model.state_dict(),
            "ema": _average_state(self.ema),
            "average": _average_state(self.average),
            "kinds": self._kinds(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": dict(vars(self.progress)),
            "rng": rng_state(),
        }

    def _kinds(self) -> list[str]:
        """States of other kinds would load without a word and mean something else."""
        return [type(part).__name__ for part in (self.optimizer, self.schedule)]

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises `UserError` when the state is of another model or holds weights only."""
        if "optimizer" not in state:
            raise UserError(
                "the checkpoint holds weights only and cannot be resumed: name last.pt, best.pt or epoch_*.pt"
            )
        if state["kinds"] != self._kinds():
            before, now = " and ".join(state["kinds"]), " and ".join(self._kinds())
            raise UserError(f"the checkpoint is of a run with {before}, this one has {now}: resume with the same kinds")
        load_weights(self.model, state["model"])
        for average, saved in ((self.ema, state["ema"]), (self.average, state["average"])):
            if average is not None:
                _restore_average(average, saved, self.model)
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except ValueError as error:
            raise UserError(
                f"the checkpoint's optimizer does not fit this one ({error}): resume with its optimizer"
            ) from error
        self.schedule.load_state_dict(state["schedule"])
        if state["scaler"]:  # empty where the precision needed none: fp16 then starts with a scale of its own
            self.scaler.load_state_dict(state["scaler"])
        self.progress = Progress(**state["progress"])
        set_rng_state(state["rng"])


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Raises `UserError`, naming the first differences, when the weights are of another model."""
    wanted = model.state_dict()
    differing = sorted(wanted.keys() ^ weights.keys())
    differing += [name for name in wanted if name in weights and wanted[name].shape != weights[name].shape]
    if differing:
        raise UserError(
            f"the checkpoint's weights do not fit the model: {len(differing)} differ, the first {differing[0]}; "
            "use the model, encoder and classes that it was trained with"
        )
    model.load_state_dict(weights)


def _average_state(average: WeightAverage | None) -> dict[str, Any] | None:
    if average is None:
        return None
    return {"updates": int(average.n_averaged), "model": average.module.state_dict()}


def _restore_average(average: WeightAverage, saved: dict[str, Any] | None, model: nn.Module) -> None:
    """An average that the checkpoint does not have starts from the weights that it does have."""
    average.module.load_state_dict(saved["model"] if saved else model.state_dict())
    average.n_averaged = torch.tensor(saved["updates"] if saved else 0)
