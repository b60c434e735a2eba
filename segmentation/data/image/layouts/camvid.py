"""CamVid as the SegNet tutorial has it: frames beside index masks, in parts.

    <root>/train/0001TP_006690.png
    <root>/trainannot/0001TP_006690.png

Brostow, Fauqueur and Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009. Frames of one
recording (0001TP) are 1/30 to 1 s apart and near copies; the tutorial's train and val parts share the recording 0016E5.
"""

from segmentation.data.class_list import Spec
from segmentation.data.folders import data_folder, find_folder
from segmentation.data.image.labels.masks import MaskOptions
from segmentation.data.image.layouts.pairing import finished, paired, pictures
from segmentation.data.image.source import UNMEASURED, ImageSample, ImageSource
from segmentation.data.splits import SPLITS
from segmentation.errors import UserError

RECORDING = r"/(.*)_[^_]*$"  # of train/0001TP_006690


def camvid(root: str, classes: Spec, ignore_void: bool = True, ignore_index: int = 255) -> ImageSource:
    """The parts that are there; a recording is a group. `ignore_void`: the class void is nothing to learn or score.

    Raises `UserError` with all faults of all parts together.
    """
    options = MaskOptions("index", ignore_void=ignore_void)
    data = data_folder(root)
    stored = options.classes(classes, data, ignore_index)
    samples: list[ImageSample] = []
    faults: list[str] = []
    for part in SPLITS:
        images, masks = find_folder(data, part), find_folder(data, f"{part}annot")
        if images is None and masks is None and part != "train":
            continue
        if images is None or masks is None:
            missing = part if images is None else f"{part}annot"
            raise UserError(f"dataset.root={root}: looked for {part}/ and {part}annot/, found no folder {missing}")
        found, image_faults = pictures(images)
        labels, mask_faults = options.find(masks, stored)
        pairs, pair_faults = paired(found, labels, images, masks)
        faults += image_faults + mask_faults + pair_faults
        samples += [ImageSample(f"{part}/{stem}", stem, image, mask, UNMEASURED, part) for stem, image, mask in pairs]
    complete = finished(root, samples, RECORDING, faults)
    return ImageSource(root, complete, options.labels(stored, complete))
