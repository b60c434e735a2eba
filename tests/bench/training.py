"""What the loop costs beside the model: images/s of `fit` against a bare loop, and the time to the first step.

python -m tests.bench.training
"""

import json
import statistics
import subprocess
import sys
import time
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch.amp import GradScaler
from torch.utils.data import DataLoader, Dataset

from segmentation.classes import Classes
from segmentation.data.batch import Batch
from segmentation.data.sampler import Bucket, Draw, TrainingBatches
from segmentation.engine.ema import exponential_average
from segmentation.engine.layer_decay import parameter_groups
from segmentation.engine.loop import fit
from segmentation.engine.options import EarlyStopping, TrainerOptions
from segmentation.engine.record import Recorder
from segmentation.engine.schedule import cosine
from segmentation.engine.state import TrainState
from segmentation.engine.task import Feed, Task
from segmentation.losses.cross_entropy import CrossEntropy
from segmentation.metrics.segmentation import SegmentationMetric
from segmentation.models.image.smp import smp_model
from segmentation.runtime.device import choose_device, choose_precision, describe_device
from segmentation.runtime.run_folder import RunFolder
from segmentation.runtime.tracking import Tracker

ROOT = Path(__file__).resolve().parents[2]
NUM_CLASSES, BATCH, SIZE, STEPS, ROUNDS = 13, 8, 256, 12, 7
STARTS = 3
CLASSES = Classes(tuple(f"class {i}" for i in range(NUM_CLASSES)), tuple((i, i, i) for i in range(NUM_CLASSES)))


class InMemory(Dataset[Batch]):
    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (STEPS, BATCH, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
        masks = torch.randint(0, NUM_CLASSES, (STEPS, BATCH, SIZE, SIZE), dtype=torch.uint8, generator=generator)
        keys = tuple(str(index) for index in range(BATCH))
        self.batches = [Batch(image.permute(0, 3, 1, 2), mask, keys) for image, mask in zip(images, masks, strict=True)]

    def __getitem__(self, draw: Draw) -> Batch:
        return self.batches[draw.index]


class Bench:
    def __init__(self) -> None:
        self.device = choose_device("auto")
        self.precision = choose_precision("auto", self.device)
        self.data = InMemory()
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        model = smp_model("Unet", "resnet18", NUM_CLASSES, mean, std)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def bare(self) -> float:
        """Seconds of forward, backward and step over the batches."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)
        self.model.train()
        self.synchronize()
        start = time.perf_counter()
        for batch in self.data.batches:
            inputs, target = batch.inputs.to(self.device), batch.target.to(self.device).long()
            with self.precision.autocast(self.device):
                logits = self.model(inputs)
            F.cross_entropy(logits.float(), target, ignore_index=255).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.synchronize()
        return time.perf_counter() - start

    def fitted(self, folder: RunFolder) -> float:
        """Seconds of the same by `fit` with all that it does in an epoch's training, as its history tells."""
        groups = parameter_groups(self.model, lr=1e-4, weight_decay=0.01, layer_decay=0.9)
        optimizer = torch.optim.AdamW(groups, fused=True)
        state = TrainState(
            model=self.model,
            optimizer=optimizer,
            schedule=cosine(optimizer, STEPS, STEPS),
            scaler=GradScaler(self.device.type, enabled=self.precision.scale_gradients),
            ema=exponential_average(self.model, 0.999),
        )
        options = TrainerOptions(
            epochs=1,
            batch_size=BATCH,
            val_batch_size=BATCH,
            num_workers=0,
            gradient_clip_val=1.0,
            ema_decay=0.999,
            log_every_n_steps=5,
            monitor="train/loss",
            monitor_mode="min",
            early_stopping=EarlyStopping("train/loss", "min"),
        )
        batches = TrainingBatches([Bucket(range(STEPS), 1)], seed=0)
        loader = DataLoader(self.data, batch_sampler=batches, collate_fn=itemgetter(0))
        task = Task(CrossEntropy(), SegmentationMetric(CLASSES), self.device, self.precision)
        tracker = Tracker(folder)
        fit(state, Feed(loader, None), task, options, Recorder(folder, tracker, CLASSES.names, self.device))
        tracker.close()
        return STEPS * BATCH / float(state.progress.history[0]["images_per_second"])


def seconds_to_first_step(folder: Path) -> float:
    """From the start of the process to the end of its first step."""
    command = [sys.executable, "train.py", "trainer.max_steps=1", "trainer.log_every_n_steps=1"]
    start = time.time()
    subprocess.run([*command, f"hydra.run.dir={folder}"], cwd=ROOT, check=True, capture_output=True)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return float(next(event["time"] for event in events if event["event"] == "step")) - start


def main() -> None:
    bench = Bench()
    say = sys.stdout.write
    say(f"U-Net ResNet-18, {BATCH}x{SIZE}x{SIZE}, {describe_device(bench.device, bench.precision)}\n")
    bench.bare()  # warm-up
    bare, fitted = [], []
    with TemporaryDirectory() as folder:
        for round_ in range(ROUNDS):
            bare.append(bench.bare())
            fitted.append(bench.fitted(RunFolder(Path(folder) / str(round_))))
        ratio = statistics.median(a / b for a, b in zip(bare, fitted, strict=True))
        for name, seconds in (("bare loop", bare), ("fit", fitted)):
            say(f"{name:10} {STEPS * BATCH / statistics.median(seconds):7.2f} images/s (median of {ROUNDS})\n")
        say(f"fit / bare loop: {ratio:.3f} (at least 0.95 is wanted)\n")
        starts = [seconds_to_first_step(Path(folder) / f"start{index}") for index in range(STARTS)]
        say(f"start of train.py to the end of its first step: {statistics.median(starts):.1f} s (at most 12 wanted)\n")
    if ratio < 0.95 or statistics.median(starts) > 12:
        sys.exit(1)


if __name__ == "__main__":
    main()
