from typing import Any

from segmentation.reports.model_card import model_card

METADATA: dict[str, Any] = {
    "run": "streets",
    "classes": [
        {"id": 0, "name": "road", "color": [128, 64, 128]},
        {"id": 1, "name": "pole", "color": [153, 153, 153]},
        {"id": 2, "name": "sign", "color": [220, 220, 0]},
    ],
    "input": {"dtype": "uint8", "bands": 3, "layout": "nhwc", "size_in_training": [360, 480]},
    "thresholds": {},
    "otherwise": None,
    "precision": "int8",
    "confidence": 0.8,
    "metrics": {"val/mIoU": 0.61234, "val/IoU/road": 0.93, "val/IoU/pole": 0.31, "val/IoU/sign": None},
    "intervals": {"val/mIoU": [0.58, 0.65], "val/IoU/road": [None, None]},
    "epoch": 7,
    "weights": "ema",
    "git": {"commit": "abc123", "dirty": False},
}
RECORD = {
    "bytes": 4_100_000,
    "proven_on": "20 validation images",
    "pixel_agreement": 0.99712,
    "latency_ms": 31.25,
    "runtime": "onnxruntime 1.22",
    "processor": "x86_64",
    "threads": 2,
}
MADE_OF = {
    "data": "camvid",
    "samples": {"train": 367, "val": 101},
    "licence": None,
    "command": "python train.py seed=1",
    "epochs": 24,
}


def test_a_card_says_what_is_known() -> None:
    card = model_card(METADATA, RECORD, MADE_OF)
    for said in (
        "# streets: semantic segmentation into 3 classes\n",
        "uint8 pixels `[B, H, W, 3]`",
        "360 x 480 pixels (height x width)",
        "| 1 | pole | 153, 153, 153 |\n| 2 | sign |",
        "camvid: 367 images for train, 101 images for val.\nLicence: not stated.",
        "python train.py seed=1\n",
        "Epoch 7 of 24, ema weights, code at commit abc123.",
        "| mIoU | 0.612 | 0.580 to 0.650 |\n| IoU of road | 0.930 | - |\n| IoU of pole | 0.310 | - |\n\n",
        "int8, 4.1 MB. On 20 validation images 99.712 % of the pixels",
        "31.2 ms an image with onnxruntime 1.22 (x86_64, 2 threads)",
        "above 0.80, at least 95 %",
        "IoU is below 0.5 for pole: these",
    ):
        assert said in card, card
    assert "sign |" in card
    assert "IoU of sign" not in card, "a class without a score"


def test_a_card_without_scores() -> None:
    unknown = {**METADATA, "metrics": {}, "intervals": {}, "confidence": None, "git": None}
    card = model_card(unknown, RECORD, {**MADE_OF, "licence": "CC BY 4.0"})
    assert "Not known: the model was not evaluated." in card
    assert "Licence: CC BY 4.0." in card
    for left_out in ("| score |", "at least 95 %", "not to be relied", "code at commit"):
        assert left_out not in card


def test_a_card_tells_thresholds_and_what_stands_below_them() -> None:
    card = model_card({**METADATA, "thresholds": {"pole": 0.3, "sign": 0.4}, "otherwise": 255}, RECORD, MADE_OF)
    assert "said from a probability on: pole 0.3, sign 0.4. Where none is, the id is 255.\n" in card
    assert "Every pixel gets one" not in card
    assert "Every pixel gets one" in model_card(METADATA, RECORD, MADE_OF)
