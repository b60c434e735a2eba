"""evaluate.py label_errors=true: where the labels of a split may be wrong, as a page with pictures and a table."""

import csv
import logging
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import cv2
import numpy as np

from segmentation.build.predictor import Predict
from segmentation.data.image.draw import ImageDrawing
from segmentation.data.image.pixels import as_rgb
from segmentation.data.image.source import ImageSample, ImageSource
from segmentation.metrics.label_errors import Region, Suspect, contradicting_regions, ranked
from segmentation.outputs import labels_from, probabilities_from
from segmentation.reports.blocks import Text
from segmentation.reports.page import Block, Section, page
from segmentation.reports.pictures import Picture, Pictures
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.files import write_text

log = logging.getLogger("segmentation")
COLUMNS = ("key", "x", "y", "width", "height", "pixels", "label", "prediction", "confidence", "score")
PICTURED, TOLD = 60, 10  # suspects with a picture on the page; suspects on the console
AROUND = 0.5  # of a region's longer side: how much of its surroundings a picture shows
LEAST_AROUND = 32  # pixels


def write_label_errors(
    predict: Predict, source: ImageSource, samples: Sequence[ImageSample], stem: Path
) -> list[Suspect]:
    """Look at the samples, tell the first suspects, and write `<stem>-label-errors.csv` (all of them) and `.html` (the
    first 60, with pictures).
    """
    suspects = find_label_errors(predict, source, samples)
    rows = [_row(suspect, source.classes.names) for suspect in suspects]
    table, report = (stem.with_name(f"{stem.name}-label-errors.{suffix}") for suffix in ("csv", "html"))
    write_text(table, _csv(rows))
    write_text(report, label_errors_page(source.title, _pictures(predict, source, samples, suspects[:PICTURED])))
    if rows:
        log.info("%s", table_text("labels to look at", COLUMNS, rows[:TOLD]))
    log.info("%d regions where the prediction contradicts the label -> %s, %s", len(rows), report, table)
    return suspects


def find_label_errors(predict: Predict, source: ImageSource, samples: Sequence[ImageSample]) -> list[Suspect]:
    """The most suspicious first."""
    regions: dict[str, list[Region]] = {}
    ignored = source.classes.ignore_index
    with progress_bar("looking at the labels", len(samples)) as bar:
        for batch, logits in predict(samples):
            probabilities, truth = probabilities_from(logits).cpu().numpy(), batch.target.cpu().numpy()
            for key, said, labels in zip(batch.keys, probabilities, truth, strict=True):
                regions[key] = contradicting_regions(said, labels, ignored)
            bar.advance(batch.size)
    return ranked(regions)


def _row(suspect: Suspect, names: Sequence[str]) -> list[str]:
    region = suspect.region
    box = (region.x, region.y, region.width, region.height, region.pixels)
    classes = (names[region.label], names[region.prediction])
    return [suspect.key, *map(str, box), *classes, f"{region.confidence:.4f}", f"{suspect.score:.2f}"]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue()


def label_errors_page(title: str, pictures: Sequence[Picture]) -> str:
    """HTML of the pictures of the first suspects, if there are any, in the data of this title."""
    explained = Text(
        "Connected regions where the model says another class than the label, the most suspicious first: large, "
        "confident, and a confusion that is rare in these images. A confusion that the model makes everywhere ranks "
        "low: it is a weakness of the model, or a habit of the annotators, and stands in the confusion matrix."
    )
    nothing = Text("Nowhere does the prediction contradict the labels over 100 pixels or more.")
    found: Block = Pictures(pictures) if pictures else nothing
    return page(f"Labels to look at: {title}", [Section("Regions", [explained, found])])


def _pictures(
    predict: Predict, source: ImageSource, samples: Sequence[ImageSample], suspects: Sequence[Suspect]
) -> list[Picture]:
    """The model is asked again: the predictions of all images would not fit into memory."""
    drawing, names = ImageDrawing(source.classes), source.classes.names
    wanted = {suspect.key for suspect in suspects}
    drawn: dict[Suspect, np.ndarray] = {}
    with progress_bar("drawing", len(wanted)) as bar:
        for batch, logits in predict([sample for sample in samples if sample.key in wanted]):
            for place, key in enumerate(batch.keys):
                only = slice(place, place + 1)
                image = as_rgb(batch.inputs[place].permute(1, 2, 0).cpu().numpy())
                truth, said = batch.target[place].cpu().numpy(), labels_from(logits[only])[0].cpu().numpy()
                for suspect in suspects:
                    if suspect.key == key:
                        drawn[suspect] = _picture(drawing, suspect.region, image, truth, said)
            bar.advance(batch.size)
    return [(f"{rank}. {_told(suspect, names)}", drawn[suspect]) for rank, suspect in enumerate(suspects, 1)]


def _told(suspect: Suspect, names: Sequence[str]) -> str:
    region = suspect.region
    return (
        f"{suspect.key}: labelled {names[region.label]}, predicted {names[region.prediction]}; "
        f"{region.pixels} pixels at x {region.x}, y {region.y}; confidence {region.confidence:.2f}"
    )


def _picture(
    drawing: ImageDrawing, region: Region, image: np.ndarray, truth: np.ndarray, said: np.ndarray
) -> np.ndarray:
    """The region with what is around it; `image` may be of another size than the truth."""
    around = max(LEAST_AROUND, round(AROUND * max(region.width, region.height)))
    rows = slice(max(region.y - around, 0), region.y + region.height + around)
    columns = slice(max(region.x - around, 0), region.x + region.width + around)
    resized = cv2.resize(image, truth.shape[::-1]) if image.shape[:2] != truth.shape else image
    marked = np.zeros(truth.shape, bool)
    box = slice(region.y, region.y + region.height), slice(region.x, region.x + region.width)
    marked[box] = (truth[box] == region.label) & (said[box] == region.prediction)
    return drawing.detail(*(array[rows, columns] for array in (resized, truth, said, marked)))
