"""Masks of pictures by an exported model: python predict.py PICTURE [PICTURE ...]

Writes PICTURE_mask.png, whose numbers are class ids and whose palette has their colours, and tells what is in it.
Needs onnxruntime and pillow, nothing else; a GPU is used where onnxruntime has one.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np  # comes with onnxruntime
import onnxruntime
from PIL import Image, ImageOps

MODEL = Path(__file__).resolve().with_name("model.onnx")


def read(path: Path, bands: int) -> Image.Image:
    """Turned as the camera says, in colours or grey."""
    with Image.open(path) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB" if bands == 3 else "L")


def predict(session: Any, about: dict[str, Any], picture: Image.Image) -> Image.Image:
    """The mask of a picture, at the picture's size; the model sees it at the size of its training."""
    height, width = about["size_in_training"] or (picture.height, picture.width)
    shrinks = height * width < picture.height * picture.width
    shown = picture.resize((width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    pixels = np.asarray(shown).reshape(1, height, width, about["bands"])
    if about["layout"] == "nchw":
        pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    classes = session.run(None, {about["name"]: pixels})[0][0]
    return Image.fromarray(classes).resize(picture.size, Image.Resampling.NEAREST)


def main(names: list[str]) -> None:
    session = onnxruntime.InferenceSession(str(MODEL), providers=onnxruntime.get_available_providers())
    about = json.loads(session.get_modelmeta().custom_metadata_map["segmentation_lab"])
    for name in names:
        picture = read(Path(name), about["input"]["bands"])
        mask = predict(session, about["input"], picture)
        counts = mask.histogram()
        mask.putpalette([channel for entry in about["classes"] for channel in entry["color"]])
        written = Path(name).with_name(f"{Path(name).stem}_mask.png")
        mask.save(written)
        found = [(counts[entry["id"]], entry["name"]) for entry in about["classes"] if counts[entry["id"]]]
        area = picture.width * picture.height
        told = ", ".join(f"{label} {100 * count / area:.1f} %" for count, label in sorted(found, reverse=True))
        sys.stdout.write(f"{written}: {told}\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(str(__doc__))
    main(sys.argv[1:])
