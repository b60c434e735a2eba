"""What predict.py costs beside the model: images/s from files to files, against the model alone on images in memory.

python -m tests.bench.prediction [FOLDER OF IMAGES]
"""

import statistics
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from segmentation.apps.prediction.output import OutputFolder
from segmentation.apps.prediction.pictures import Pictures, Wanted
from segmentation.apps.prediction.pipeline import overlapped
from segmentation.classes import Classes
from segmentation.data.image.files import RGB, read_image
from segmentation.data.image.inputs import Inputs, find_inputs
from segmentation.data.image.results.overlay import Overlay
from segmentation.engine.scorer import Member, TrainedScorer
from segmentation.errors import UserError
from segmentation.inference.augmented import View
from segmentation.inference.postprocessing import PostProcessing
from segmentation.inference.windows import Tiles
from segmentation.models.image.smp import smp_model
from segmentation.runtime.device import choose_device, choose_precision, describe_device, synchronize

ROOT = Path(__file__).resolve().parents[2]
CAMVID = ROOT.parent / "shared" / "data" / "camvid" / "val"
NUM_CLASSES, ROUNDS, THREADS, WANTED = 11, 3, 2, 0.85
CLASSES = Classes(
    tuple(f"class {i}" for i in range(NUM_CLASSES)), tuple((20 * i, 90, 9 * i) for i in range(NUM_CLASSES))
)


class Bench:
    def __init__(self, images: Path) -> None:
        self.inputs: Inputs = find_inputs(str(images), RGB)
        self.pixels = [torch.from_numpy(read_image(picture.path)) for picture in self.inputs.pictures]
        self.device = choose_device("auto")
        self.precision = choose_precision("auto", self.device)
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        model = smp_model("Unet", "resnet18", NUM_CLASSES, mean, std).eval()
        self.model: nn.Module = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def alone(self) -> float:
        """Images a second of the model alone, one after the other as predict.py shows them, from pixels to logits."""
        synchronize(self.device)
        start = time.perf_counter()
        for pixels in self.pixels:
            inputs = pixels.to(self.device).permute(2, 0, 1)[None]
            with self.precision.autocast(self.device):
                self.model(inputs)
        synchronize(self.device)
        return len(self.pixels) / (time.perf_counter() - start)

    def from_files_to_files(self, output: Path) -> float:
        """Images a second of what predict.py does by default with pictures: masks, colours and overlays."""
        members = (Member(self.model, None),)
        scorer = TrainedScorer(members, CLASSES, self.device, self.precision, Tiles((512, 512)), True, (View(),))
        wanted = Wanted(True, True, Overlay(CLASSES), None, None, 0.0, False)
        way = Pictures(scorer, PostProcessing(), wanted, output, None)
        start = time.perf_counter()
        folder = OutputFolder.open(output, {}, False, False)
        with closing(overlapped(self.inputs.pictures, way.read, way.ask, way.write, THREADS)) as rows:
            for _, row in rows:
                assert not isinstance(row, UserError), row
                folder.note(row)
        return len(self.pixels) / (time.perf_counter() - start)


def main() -> None:
    bench = Bench(Path(sys.argv[1]) if len(sys.argv) > 1 else CAMVID)
    say = sys.stdout.write
    sizes = sorted({"x".join(map(str, np.array(pixels.shape[:2]))) for pixels in bench.pixels})
    say(f"U-Net ResNet-18, {len(bench.pixels)} images of {', '.join(sizes[:3])}, ")
    say(f"{describe_device(bench.device, bench.precision)}\n")
    bench.alone()  # warm-up
    alone, whole = [], []
    with TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            alone.append(bench.alone())
            whole.append(bench.from_files_to_files(Path(folder) / str(number)))
    ratio = statistics.median(made / given for made, given in zip(whole, alone, strict=True))
    say(f"model alone          {statistics.median(alone):8.2f} images/s (median of {ROUNDS})\n")
    say(f"from files to files  {statistics.median(whole):8.2f} images/s\n")
    say(f"predict.py / model alone: {ratio:.3f} (at least {WANTED} is wanted)\n")
    if ratio < WANTED:
        sys.exit(1)


if __name__ == "__main__":
    main()
