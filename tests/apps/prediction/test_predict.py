"""What comes of predict.py, in this process."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from segmentation.errors import UserError
from segmentation.runtime.files import read_json
from tests.apps.prediction.conftest import CLASSES, Predict, blocks, files_in
from tests.inference.onnx_files import write_convolution


def strongest(path: Path) -> np.ndarray:
    """By hand, `[H, W]`."""
    with Image.open(path) as picture:
        ids: np.ndarray = np.asarray(picture.convert("RGB")).argmax(axis=-1)
    return ids


def mask_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_every_picture_has_a_mask_of_its_size_and_what_else_is_usual(predicted: Predict, images: Path) -> None:
    predicted()
    out = images.parent / "out"
    for name in ("a.png", "b.jpg", "sub/c.png"):
        mask = mask_of(out / "masks" / Path(name).with_suffix(".png"))
        assert mask.dtype == np.uint8
        assert (mask == strongest(images / name)).all()
    colour = np.asarray(Image.open(out / "colour" / "a.png"))
    assert (colour == CLASSES.paint(strongest(images / "a.png"))).all()
    assert {path.parent.name for path in out.rglob("*.jpg")} == {"overlay", "sub"}
    assert not [name for name in files_in(out) if ".tmp" in name]
    assert read_json(out / "predict.json")["model"].endswith("strongest.onnx")


@pytest.mark.parametrize(
    "options", [("tile=[16,16]",), ("image_size=[40,60]",), ("threads=1", "tile=[8,8]", "overlap=0")]
)
def test_however_it_is_shown_the_strongest_colour_is_said(
    predicted: Predict, images: Path, options: tuple[str]
) -> None:
    predicted(*options, "colour=false", "overlay=false")
    mask = mask_of(images.parent / "out" / "masks" / "a.png")
    assert (mask == strongest(images / "a.png")).all()


def test_probabilities_are_those_of_the_model(predicted: Predict, images: Path) -> None:
    predicted("probabilities=npz", "masks=false", "overlay=false", "colour=false")
    out = images.parent / "out"
    given = np.load(out / "probabilities" / "a.npz")["probabilities"]
    assert given.shape == (3, 20, 30)
    assert given.dtype == np.float16
    certain = np.exp(6) / (np.exp(6) + 2)
    np.testing.assert_allclose(given.max(axis=0), certain, atol=1e-3)
    predicted("probabilities=confidence", "masks=false", "overlay=false", "colour=false", "overwrite=true")
    assert not (out / "probabilities" / "a.npz").exists()
    assert (mask_of(out / "probabilities" / "a.png") == round(certain * 255)).all()


def test_areas_are_polygons(predicted: Predict, images: Path) -> None:
    predicted("polygons=coco", "masks=false", "overlay=false", "colour=false")
    out = images.parent / "out" / "polygons"
    coco = read_json(out / "coco.json")
    assert [image["file_name"] for image in coco["images"]] == ["a.png", "b.jpg", "sub/c.png"]
    assert sum(each["area"] for each in coco["annotations"]) == 20 * 30 + 17 * 33 + 40 * 24
    assert {category["name"] for category in coco["categories"]} == set(CLASSES.names)
    predicted("polygons=geojson", "masks=false", "overwrite=true")
    features = read_json(out / "sub" / "c.geojson")["features"]
    assert sum(feature["properties"]["pixels"] for feature in features) == 40 * 24


def test_post_processing_is_done(predicted: Predict, images: Path) -> None:
    picture = np.full((30, 30, 3), (255, 0, 0), np.uint8)
    picture[10:12, 10:12] = (0, 255, 0)
    Image.fromarray(picture).save(images / "speck.png")
    predicted("min_area={green:5}", f"input={images / 'speck.png'}")
    assert (mask_of(images.parent / "out" / "masks" / "speck.png") == 0).all()


def test_thresholds_leave_what_is_unsure_out(predicted: Predict, images: Path) -> None:
    """Of red at 255 and green at 204 the one has e^6 and the other e^4.8: 0.768 to 0.231."""
    picture = np.full((4, 4, 3), (255, 204, 0), np.uint8)
    Image.fromarray(picture).save(images / "unsure.png")
    given = (f"input={images / 'unsure.png'}", "overwrite=true")
    predicted("thresholds=0.76", *given)
    assert (mask_of(images.parent / "out" / "masks" / "unsure.png") == 0).all()
    predicted("thresholds=0.78", *given)
    assert (mask_of(images.parent / "out" / "masks" / "unsure.png") == 255).all()


def test_a_large_picture_is_predicted_in_strips(
    predicted: Predict, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is large is made small here: a tiled TIFF that would otherwise be decoded whole."""
    monkeypatch.setattr("segmentation.data.image.inputs.LARGE", 1000)
    picture = blocks(150, 200)
    tifffile.imwrite(images / "map.tif", picture, tile=(32, 32), photometric="rgb")
    predicted(f"input={images / 'map.tif'}", "tile=[64,64]", "probabilities=npz", "pseudo_labels=true", "min_area=2")
    out = images.parent / "out"
    assert (tifffile.imread(out / "masks" / "map.tif") == picture.argmax(axis=-1)).all()
    assert (tifffile.imread(out / "pseudo_labels" / "masks" / "map.tif") == picture.argmax(axis=-1)).all()
    assert np.load(out / "probabilities" / "map.npz")["probabilities"].shape == (3, 150, 200)
    with Image.open(out / "overlay" / "map.jpg") as overlay:
        assert overlay.width == 200
    with pytest.raises(UserError, match=r"map.tif is too large for the CRF"):
        predicted(f"input={images / 'map.tif'}", "crf.iterations=1", "overwrite=true")


def test_what_cannot_be_read_is_told_and_counted_in_the_end(
    predicted: Predict, images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (images / "empty.png").write_bytes(b"")
    whole = (images / "a.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    (images / "text.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"3 of 6 inputs could not be done in whole") as caught:
        predicted()
    told = str(caught.value)
    assert all(name in told for name in ("empty.png", "cut.png", "text.jpg"))
    assert len(told.splitlines()) == 4
    out = images.parent / "out"
    assert {path.stem for path in (out / "masks").rglob("*.png")} == {"a", "b", "c"}


def test_where_nothing_can_be_read_there_is_a_page_that_says_so(predicted: Predict, images: Path) -> None:
    (images / "empty.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 of 1 inputs could not be done in whole"):
        predicted(f"input={images / 'empty.png'}")
    assert "empty.png" in (images.parent / "out" / "index.html").read_text()
    (images / "none").mkdir()
    with pytest.raises(UserError, match=r"holds no picture and no video"):
        predicted(f"input={images / 'none'}", "overwrite=true")


def test_pictures_of_all_kinds_are_read_right(predicted: Predict, images: Path) -> None:
    folder = images / "kinds"
    folder.mkdir()
    picture = blocks(20, 30)
    Image.fromarray(picture).convert("RGBA").save(folder / "rgba.png")
    Image.fromarray(picture).convert("CMYK").save(folder / "cmyk.jpg", quality=100, subsampling=0)
    Image.fromarray(picture.max(axis=-1)).save(folder / "grey.png")
    cv2.imwrite(str(folder / "deep.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)
    predicted(f"input={folder}")
    out = images.parent / "out" / "masks"
    for name in ("rgba", "cmyk", "deep"):
        assert (mask_of(out / f"{name}.png") == picture.argmax(axis=-1)).mean() > 0.99, name
    assert mask_of(out / "grey.png").shape == (20, 30)


def test_results_of_another_model_or_with_other_options_are_not_mixed(
    predicted: Predict, images: Path, exported: Path
) -> None:
    predicted()
    before = files_in(images.parent / "out")
    with pytest.raises(UserError, match=r"holds results of .*strongest.onnx: give another output, skip_existing=true"):
        predicted()
    with pytest.raises(UserError, match=r"was written with tile=null, this is \[16, 16\]"):
        predicted("skip_existing=true", "tile=[16,16]")
    with pytest.raises(UserError, match=r"was written with fill_holes=null, this is \"Infinity\""):
        predicted("skip_existing=true", "fill_holes=inf")
    other = write_convolution(exported.with_name("other.onnx"), -6 * np.eye(3)[:, :, None, None], CLASSES)
    with pytest.raises(UserError, match=r"was written with model=.*strongest.onnx"):
        predicted("skip_existing=true", f"model={other}")
    write_convolution(exported, -6 * np.eye(3)[:, :, None, None], CLASSES)
    with pytest.raises(UserError, match=r"was written with file="):
        predicted("skip_existing=true")
    assert files_in(images.parent / "out") == before
    predicted("overwrite=true")
    assert (mask_of(images.parent / "out" / "masks" / "a.png") != strongest(images / "a.png")).any()


def test_a_folder_with_masks_of_one_s_own_is_never_touched(predicted: Predict, images: Path) -> None:
    own = images.parent / "out" / "masks" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"labelled by hand")
    for options in ((), ("overwrite=true",), ("skip_existing=true",)):
        with pytest.raises(UserError, match=r"holds masks that predict.py did not write"):
            predicted(*options)
    assert own.read_bytes() == b"labelled by hand"


def test_going_on_does_what_is_missing_and_nothing_else(predicted: Predict, images: Path) -> None:
    predicted()
    out = images.parent / "out"
    whole = files_in(out)
    (out / "masks" / "b.png").unlink()
    times = {name: (out / name).stat().st_mtime_ns for name in whole if name.startswith("masks/") and "b" not in name}
    with (out / "predict.jsonl").open("a") as file:
        file.write('{"key": "sub/c", "fil')
    predicted("skip_existing=true")
    assert (mask_of(out / "masks" / "b.png") == strongest(images / "b.jpg")).all()
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times


def test_another_picture_of_the_same_name_is_not_taken_for_done(predicted: Predict, images: Path) -> None:
    predicted()
    others = images.parent / "others"
    others.mkdir()
    Image.fromarray(blocks(20, 30, seed=9)).save(others / "a.png")
    predicted(f"input={others}", "skip_existing=true")
    assert (mask_of(images.parent / "out" / "masks" / "a.png") == strongest(others / "a.png")).all()


def test_metrics_of_labels(predicted: Predict, images: Path) -> None:
    labels = images.parent / "labels"
    (labels / "sub").mkdir(parents=True)
    truth = strongest(images / "a.png").astype(np.uint8)
    truth[:, :15] = 255
    truth[0, 15:] = (truth[0, 15:] + 1) % 3
    Image.fromarray(truth).save(labels / "a.png")
    Image.fromarray(strongest(images / "sub" / "c.png").astype(np.uint8)).save(labels / "sub" / "c.png")
    predicted(f"labels={labels}")
    metrics = read_json(images.parent / "out" / "metrics.json")
    assert metrics["images"] == 2
    right, pixels = 19 * 15 + 40 * 24, 20 * 15 + 40 * 24
    assert metrics["metrics"]["pixel_accuracy"] == pytest.approx(right / pixels)
    assert metrics["mIoU_by_image"]["sub/c"] == 1
    Image.fromarray(truth[:10]).save(labels / "a.png")
    with pytest.raises(UserError, match=r"a.png is 10x30 and its image 20x30"):
        predicted(f"labels={labels}", "overwrite=true")
    assert (images.parent / "out" / "masks" / "a.png").is_file(), "a bad label costs no more than the score"
    assert read_json(images.parent / "out" / "metrics.json")["images"] == 1
    with pytest.raises(UserError, match=r"labels=.*images/none: there is no such folder"):
        predicted(f"labels={images / 'none'}", "overwrite=true")


def test_what_needs_probabilities_is_refused_of_a_file_without(predicted: Predict, exported: Path) -> None:
    write_convolution(exported, np.eye(3)[:, :, None, None], CLASSES, probabilities=False)
    with pytest.raises(UserError, match=r"class ids alone, and probabilities, thresholds would need probabilities"):
        predicted("probabilities=npz", "thresholds=0.5")
    predicted()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("min_area={gren:5}",), r"there is no class gren; did you mean green"),
        (("input=nothing",), r"input=nothing: there is no such file"),
        (("model=none.onnx",), r"there is no file none.onnx"),
        (("model=IMAGES/a.png",), r"a.png cannot be read as ONNX"),
        (("output=IMAGES/a.png/out",), r"output=.*a.png/out cannot be written"),
        (("tile=[0,5]",), r"tile=\[0, 5\]: expected"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_written(
    predicted: Predict, images: Path, options: tuple[str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        predicted(*(option.replace("IMAGES", str(images)) for option in options))
    assert not (images.parent / "out").exists()


def test_results_below_the_input_are_not_predicted_again(predicted: Predict, images: Path) -> None:
    for _ in range(2):
        predicted(f"output={images / 'out'}", "overwrite=true")
    assert len(list((images / "out" / "masks").rglob("*.png"))) == 3
