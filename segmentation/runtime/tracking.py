"""What a run tells while it runs: events.jsonl for programs, TensorBoard for people."""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from segmentation.runtime.files import jsonable
from segmentation.runtime.run_folder import RunFolder


class Tracker:
    """Scalars, pictures and hyper-parameters of one run. `step` counts optimizer steps throughout."""

    def __init__(self, folder: RunFolder, resumed_step: int | None = None) -> None:
        """`resumed_step` hides what TensorBoard was told beyond that step by the run that is gone on with."""
        folder.path.mkdir(parents=True, exist_ok=True)
        self._events = folder.events.open("a", encoding="utf-8", buffering=1)  # a line at a time reaches the file
        purge = None if resumed_step is None else resumed_step + 1
        self._board = SummaryWriter(str(folder.tensorboard), purge_step=purge)

    def event(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        line = {"event": kind, "time": round(time.time(), 3), "step": step, **jsonable(dict(values))}
        self._events.write(json.dumps(line, ensure_ascii=False) + "\n")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if not math.isnan(value):
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, rgb: np.ndarray) -> None:
        """`rgb` `[H, W, 3]` uint8."""
        self._board.add_image(name, rgb, step, dataformats="HWC")

    def hyperparameters(self, values: Mapping[str, bool | int | float | str], metrics: Mapping[str, float]) -> None:
        """The columns of TensorBoard's HPARAMS page: `values` against `metrics`, in this run's own folder."""
        finite = {f"hparam/{key}": value for key, value in metrics.items() if math.isfinite(value)}
        for summary in hparams(dict(values), finite):
            self._board._get_file_writer().add_summary(summary)
        self.scalars(0, finite)

    def close(self) -> None:
        self._board.close()
        self._events.close()
