"""An evaluation as it may come out: CamVid's classes, drawn pictures, a plausible confusion; nothing of it is real."""

from typing import Any

import cv2
import numpy as np

from segmentation.classes import Classes
from segmentation.reports.evaluation import (
    BinaryFacts,
    BoundaryFacts,
    CalibrationFacts,
    EvaluationFacts,
    HeadlineScore,
)
from segmentation.reports.words import Words

CAMVID = (
    ("sky", (128, 128, 128)),
    ("building", (128, 0, 0)),
    ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)),
    ("pavement", (60, 40, 222)),
    ("tree", (128, 128, 0)),
    ("sign", (192, 128, 128)),
    ("fence", (64, 64, 128)),
    ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)),
    ("bicyclist", (0, 128, 192)),
)
CLASSES = Classes(tuple(name for name, _ in CAMVID), tuple(color for _, color in CAMVID))
TRUTH = (30, 40, 1.7, 50, 9, 18, 2, 2.5, 6, 1.2, 0)  # of each class in 100,000 pixels; the last is absent


def confusion(random: np.random.Generator) -> np.ndarray:
    """Each class mostly right, and now and then taken for one of two others."""
    matrix = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for row, size in enumerate(TRUTH):
        count = int(size * 100_000)
        right = int(count * random.uniform(0.55, 0.97))
        others = random.choice([column for column in range(len(CLASSES) - 1) if column != row], 2, replace=False)
        matrix[row, row] = right
        matrix[row, others] = (count - right) * 7 // 10, (count - right) * 3 // 10
    return matrix


def history(epochs: int) -> list[dict[str, Any]]:
    """Rows of history.json; validation every second epoch, one score of it null."""
    rows: list[dict[str, Any]] = []
    for epoch in range(1, epochs + 1):
        progress = epoch / epochs
        row: dict[str, Any] = {"epoch": epoch, "lr": 2e-3 * (1 - progress) + 1e-5}
        for split, gap in (("train", 0.0), ("val", 0.08)):
            if split == "train" or epoch % 2 == 0:
                row[f"{split}/loss"] = 2.4 * np.exp(-3 * progress) + 0.2 + gap
                row[f"{split}/mIoU"] = 0.75 * (1 - np.exp(-3 * progress)) - gap
                row[f"{split}/pixel_accuracy"] = 0.95 * (1 - np.exp(-4 * progress)) - gap
        rows.append(row)
    if epochs >= 2:
        rows[1]["val/mIoU"] = None
    return rows


def picture(random: np.random.Generator, height: int = 360, width: int = 1640) -> np.ndarray:
    """Coarse shapes with grain, about as hard to compress as photographs."""
    coarse = cv2.resize(random.integers(0, 256, (12, 40, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = random.integers(-12, 13, (height, width, 1))
    return np.clip(coarse + grain, 0, 255).astype(np.uint8)


def evaluation_facts(**changes: Any) -> EvaluationFacts:
    """All of it, with some pictures; `changes` replace fields."""
    random = np.random.default_rng(0)
    counts = confusion(random)
    hits, truth, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        by_class = {
            "IoU": hits / (truth + predicted - hits),
            "Dice": 2 * hits / (truth + predicted),
            "precision": hits / predicted,
            "recall": hits / truth,
        }
    iou = by_class["IoU"]
    confidence = np.linspace(0.15, 0.95, 9)
    rates = np.linspace(0, 1, 50)
    captions = [f"0016E5_{number:05d}, mIoU 0.{30 + number}" for number in range(3)]
    pictures = [(caption, picture(random, 90, 410)) for caption in captions]
    fields: dict[str, Any] = {
        "title": "Evaluation of outputs/default/2026-01-31_12-00-00 on val",
        "split": "val",
        "about": {
            "data": "CamVid, 101 images of 1 recording",
            "checkpoint": "outputs/default/2026-01-31_12-00-00/checkpoints/best.pt",
            "epoch": "22, EMA weights",
            "precision": "bf16",
        },
        "words": Words("image", "images", "pixel", "pixels"),
        "headline": [
            HeadlineScore(
                "mIoU", float(np.nanmean(iou)), (float(np.nanmean(iou)) - 0.03, float(np.nanmean(iou)) + 0.02)
            ),
            HeadlineScore("pixel accuracy", 0.901, (0.893, 0.909)),
            HeadlineScore("mean accuracy", 0.742, (0.71, 0.77)),
            HeadlineScore("FWIoU", 0.83, (0.82, 0.85)),
            HeadlineScore("mean Dice", 0.751, (0.72, 0.78)),
            HeadlineScore("Cohen's kappa", float("nan")),
        ],
        "resampling": "95 % intervals: 2,000 resamples of blocks of 25 frames; 1 recording says little about others.",
        "over_images": {"mIoU": (0.412, 0.081), "pixel accuracy": (0.899, 0.034)},
        "classes": CLASSES,
        "by_class": by_class,
        "iou_intervals": [None if np.isnan(value) else (float(value) - 0.05, float(value) + 0.03) for value in iou],
        "confusion": counts,
        "history": history(24),
        "epoch": 22,
        "worst": pictures,
        "best": pictures[::-1],
        "worst_by_class": {"road": pictures[:1], "car": pictures[1:2]},
        "environment": {"python": "3.11.7", "cuda": None, "packages": {"torch": "2.15.0", "numpy": "2.4.6"}},
        "command": "python evaluate.py run=outputs/default/2026-01-31_12-00-00",
        "boundary": BoundaryFacts("2 pixels", "1 pixel", list(iou * 0.6), list(iou * 0.8)),
        "calibration": CalibrationFacts(
            0.0612,
            [(float(x), float(x) ** 1.4) for x in confidence],
            1.37,
            0.0103,
            [(float(x), float(x) ** 1.05) for x in confidence],
        ),
        "binary": BinaryFacts(
            "car",
            0.973,
            0.88,
            [(float(x), float(x) ** 0.1) for x in rates],
            [(float(x), 1 - float(x) ** 6) for x in rates],
            0.41,
            0.83,
        ),
    }
    return EvaluationFacts(**{**fields, **changes})
