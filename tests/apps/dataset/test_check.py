"""The check as a whole: faults planted in a copy of CamVid and in drawn data of its layout, and clean data."""

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from segmentation.apps.dataset.check import check, check_before_training, look_for_faults
from segmentation.apps.training.train import train
from segmentation.build.data import build_source, build_split
from segmentation.classes import Classes
from segmentation.data.check.findings import Finding, Severity
from segmentation.data.image.layouts.camvid import camvid
from segmentation.data.splits import read_split
from segmentation.errors import UserError
from tests.conftest import SMALL, Compose
from tests.data.image.david_files import CONF, SHARED_DATA, decoded, jpeg, random_ids, write_picture
from tests.data.image.layouts.every import LAYOUTS

CAMVID = SHARED_DATA / "camvid"
TRAIN, VAL = 16, 5
ENTRIES = yaml.safe_load((CONF / "dataset/camvid.yaml").read_text(encoding="utf-8"))["classes"]
CLASSES = Classes.from_entries(ENTRIES)
Checked = Callable[..., list[Finding]]


def smooth_image(seed: int, size: tuple[int, int]) -> np.ndarray:
    """No two look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))


def blocks(seed: int) -> np.ndarray:
    """Ids of 12 classes in squares of 16 pixels."""
    return np.kron(random_ids(seed, (6, 8), 12), np.ones((16, 16), np.uint8))


def drawn(root: Path) -> None:
    for part, count in (("train", TRAIN), ("val", VAL)):
        for place in range(count):
            seed, stem = 100 * (part == "val") + place, f"{part}{place % 2}_{place:04d}"
            write_picture(root / part / f"{stem}.jpg", smooth_image(seed, (96, 128)))
            write_picture(root / f"{part}annot" / f"{stem}.png", blocks(seed))


def copied(root: Path) -> None:
    if not CAMVID.is_dir():
        pytest.skip("the shared CamVid is not here")
    for part, count in (("train", TRAIN), ("val", VAL)):
        images = sorted((CAMVID / part).iterdir())
        for image in images[:: len(images) // count][:count]:
            for source in (image, CAMVID / f"{part}annot" / f"{image.stem}.png"):
                (root / source.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, root / source.parent.name / source.name)


@pytest.fixture(params=[drawn, copied], ids=["drawn", "camvid"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.param(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def checked(composed: Compose, tmp_path: Path) -> Checked:
    def run(root: Path, *more: str, dataset: str = "camvid", task: Callable = look_for_faults) -> list[Finding]:
        report = (f"report={tmp_path / 'report.html'}", "dataset.image_size=[96,128]")
        found: list[Finding] = task(
            composed(f"dataset={dataset}", f"dataset.root={root}", *report, *more, name="check")
        )
        return found

    return run


class Data:
    """The files of a data set in CamVid's layout, to be damaged one after another."""

    def __init__(self, root: Path) -> None:
        self.images = {part: iter(sorted((root / part).iterdir())) for part in ("train", "val")}

    def next(self, part: str = "train") -> tuple[Path, Path]:
        image = next(self.images[part])
        return image, image.parent.with_name(f"{part}annot") / f"{image.stem}.png"


def cut(path: Path, share: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def ids_of(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))


def plant(root: Path) -> Iterator[tuple[str, str]]:
    """Damage the data; yields kind and name of what has to be found."""
    for mask in (root / "trainannot").iterdir():
        ids = ids_of(mask)
        ids[ids == 10] = 11
        write_picture(mask, ids)
    yield "missing class", "bicyclist"
    data = Data(root)
    image, _ = data.next()
    cut(image)
    yield "unreadable image", image.name
    image, _ = data.next()
    image.write_bytes(b"")
    yield "files", image.name
    image, mask = data.next()
    mask.unlink()
    yield "files", image.name
    image, mask = data.next("val")
    image.unlink()
    yield "files", mask.name
    image, mask = data.next()
    write_picture(mask, ids_of(mask)[:-8])
    yield "files", image.stem
    _, mask = data.next()
    ids = ids_of(mask)
    ids[:9] = 200
    write_picture(mask, ids)
    yield "ids outside the classes", mask.stem
    _, mask = data.next()
    write_picture(mask, (ids_of(mask) > 4) * np.uint8(255))
    yield "binary mask", mask.stem
    _, mask = data.next()
    write_picture(mask, np.full_like(ids_of(mask), 11))
    yield "void mask", mask.stem
    _, mask = data.next()
    write_picture(mask, np.zeros_like(ids_of(mask)))
    yield "empty mask", mask.stem
    _, mask = data.next()
    cut(mask, 0.9)
    yield "unreadable mask", mask.name
    _, mask = data.next()
    write_picture(mask, np.stack([ids_of(mask), ids_of(mask) + 1, ids_of(mask)], axis=2))
    yield "unreadable mask", mask.name
    _, mask = data.next("val")
    ids = ids_of(mask)
    mask.unlink()
    write_picture(mask.with_suffix(".jpg"), ids)
    yield "lossy mask", mask.stem
    image, mask = data.next()
    write_picture(image, smooth_image(7, (20, 24)))
    write_picture(mask, random_ids(7, (20, 24), 3))
    yield "small image", image.stem
    image, copy = data.next()[0], data.next("val")[0]
    shutil.copyfile(image, copy)
    yield "duplicate across splits", copy.stem
    image, like = data.next()[0], data.next("val")[0]
    like.write_bytes(jpeg((decoded(image.read_bytes()) * 0.9 + 8).astype(np.uint8), 80))
    yield "near-duplicate across splits", like.stem


WARNINGS = {
    *("void mask", "empty mask", "small image"),
    *("near-duplicate across splits", "group across splits", "neighbouring frames across splits"),
}


def missed(planted: Sequence[tuple[str, str]], findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Of the kinds and names those that no finding, or one of another severity, tells."""
    told = {
        (finding.kind, example.text)
        for finding in findings
        for example in finding.examples
        if finding.severity is (Severity.WARNING if finding.kind in WARNINGS else Severity.FAULT)
    }
    return [(kind, name) for kind, name in planted if not any(kind == of and name in text for of, text in told)]


def test_every_planted_fault_is_found_and_named_and_shown(root: Path, checked: Checked, tmp_path: Path) -> None:
    planted = list(plant(root))
    findings = checked(root)
    assert missed(planted, findings) == []
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for finding in findings:
        assert finding.message[:40].replace("'", "&#39;") in html
    for _, name in planted:
        assert name in html
    for finding in findings:
        captions = [*(key for example in finding.examples for key in example.keys)]
        captions += [str(path) for example in finding.examples for path in example.files]
        shown = any(f'<img alt="{caption}"' in html for caption in captions)
        assert shown is (finding.kind != "missing class"), finding


def plant_in_palette(root: Path) -> Iterator[tuple[str, str]]:
    """The same for masks of colours, in the folder layout that `painted` makes."""
    masks = {part: iter(sorted((root / part / "masks").iterdir())) for part in ("train", "val")}
    for mask in (root / "train/masks").iterdir():
        colors = decoded(mask.read_bytes()).copy()
        colors[(colors == CLASSES.colors[8]).all(axis=2)] = CLASSES.colors[0]
        write_picture(mask, colors)
    yield "missing class", CLASSES.names[8]
    mask = next(masks["train"])
    colors = decoded(mask.read_bytes()).copy()
    colors[:9] = (1, 2, 200)
    write_picture(mask, colors)
    yield "unknown colours", mask.stem
    mask = next(masks["train"])
    write_picture(mask, decoded(jpeg(decoded(mask.read_bytes()), 90)))
    yield "near-miss colours", mask.stem
    mask = next(masks["val"])
    mask.with_suffix(".jpg").write_bytes(jpeg(decoded(mask.read_bytes()), 80))
    mask.unlink()
    yield "near-miss colours", mask.stem
    mask = next(masks["train"])
    white = (decoded(mask.read_bytes())[..., :1] > 64) * np.full(3, 255, np.uint8)
    write_picture(mask, white)
    yield "binary mask", mask.stem
    scene, ids = smooth_image(0, (120, 160)), CLASSES.paint(blocks(0) % 8)
    for frame in range(8):
        part = "train" if frame % 4 else "val"
        write_picture(root / part / "images" / f"drive_{frame}.png", scene[2 * frame :, frame:][:96, :128])
        write_picture(root / part / "masks" / f"drive_{frame}.png", ids)
    yield "neighbouring frames across splits", "drive_# (6 in train, 2 in val, 1 frame apart"


def painted(root: Path, to: Path) -> Path:
    """CamVid's layout in colours, without groups."""
    for part in ("train", "val"):
        for image in (root / part).iterdir():
            (to / part / "images").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image, to / part / "images" / image.name)
        for mask in (root / f"{part}annot").iterdir():
            write_picture(to / part / "masks" / mask.name, CLASSES.paint(ids_of(mask)))
    return to


def test_faults_of_coloured_masks_and_frames_of_one_video_are_found(
    root: Path, checked: Checked, tmp_path: Path
) -> None:
    data = painted(root, tmp_path / "painted")
    options = ("dataset.mask_format=palette", f"dataset.classes={tmp_path / 'classes.json'}")
    (tmp_path / "classes.json").write_text(json.dumps(ENTRIES))
    clean = checked(data, *options, dataset="folder")
    assert [finding for finding in clean if finding.severity is Severity.FAULT] == []
    planted = list(plant_in_palette(data))
    assert missed(planted, checked(data, *options, dataset="folder")) == []


def test_clean_data_has_no_fault(root: Path, checked: Checked, tmp_path: Path) -> None:
    findings = checked(root)
    assert [finding for finding in findings if finding.severity is Severity.FAULT] == []
    assert {finding.kind for finding in findings} <= {"group across splits", "missing class"}
    checked(root, task=check)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") >= 6
    assert not re.search(r"<link|(src|href)=.http", html)


@pytest.mark.skipif(not CAMVID.is_dir(), reason="the shared CamVid is not here")
def test_the_recording_that_train_and_val_of_camvid_share_is_told(checked: Checked, tmp_path: Path) -> None:
    copied(tmp_path / "data")
    (shared,) = [finding for finding in checked(tmp_path / "data") if finding.kind == "group across splits"]
    assert shared.severity is Severity.WARNING
    assert "0016E5" in shared.examples[0].text


def test_faults_end_in_one_error_and_the_data_stays_as_it_is(
    checked: Checked, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drawn(tmp_path / "data")
    image, mask = Data(tmp_path / "data").next()
    cut(image)
    mask.with_name("left_over.png").write_bytes(mask.read_bytes())
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.*")}
    with caplog.at_level(logging.INFO), pytest.raises(UserError, match=r"2 of \d findings would spoil a run"):
        checked(tmp_path / "data", task=check)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 2
    assert image.name in "".join(told)
    assert "left_over.png has no image" in "".join(told)
    assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.*")} == before


def test_data_without_a_good_sample_is_told_with_its_faults(
    checked: Checked, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_picture(tmp_path / "data/train/a.png", smooth_image(0, (48, 64)))
    (tmp_path / "data/trainannot").mkdir()
    with caplog.at_level(logging.INFO), pytest.raises(UserError, match="no image with a mask"):
        checked(tmp_path / "data", task=check)
    assert "a.png has no mask" in caplog.text


def test_a_split_file_of_other_data_is_a_finding(checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    (tmp_path / "split.json").write_text('{"train": ["train/none"], "val": []}')
    findings = checked(tmp_path / "data", f"dataset.split_file={tmp_path / 'split.json'}")
    (split,) = [finding for finding in findings if finding.kind == "split"]
    assert split.severity is Severity.FAULT
    assert "train/none" in split.line()


def test_a_split_without_val_and_samples_of_no_part_are_findings(checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    (tmp_path / "split.json").write_text('{"train": ["train0"]}')
    findings = checked(tmp_path / "data", f"dataset.split_file={tmp_path / 'split.json'}")
    assert {"no validation split", "unused sample"} <= {finding.kind for finding in findings}


def test_a_check_writes_no_split_unless_it_is_asked_to(checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    checked(tmp_path / "data", f"dataset.split_file={tmp_path / 'split.json'}")
    assert not (tmp_path / "split.json").exists()


def test_a_second_check_reads_the_scans_of_the_first(
    checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path / "data")
    (tmp_path / "data/train/train0_0000.jpg").write_bytes((tmp_path / "data/val/val0_0000.jpg").read_bytes())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = checked(tmp_path / "data")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npz")}
    assert sorted(path.name.split("-")[0] for path in kept) == ["images", "masks"]
    assert checked(tmp_path / "data") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npz")} == kept


@pytest.mark.parametrize("method", ["random", "grouped", "stratified"])
def test_a_new_split_is_written_and_read_back(method: str, checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    shares = "dataset.split={train:0.5,val:0.25,test:0.25}"
    checked(tmp_path / "data", f"write_split={tmp_path / 'split.json'}", f"split_method={method}", shares)
    split = read_split(tmp_path / "split.json")
    sizes = [len(split[part]) for part in ("train", "val", "test")]
    assert sizes == ([11, 5, 5] if method == "random" else [2, 1, 1])
    findings = checked(tmp_path / "data", f"dataset.split_file={tmp_path / 'split.json'}")
    assert any(finding.kind == "group across splits" for finding in findings) is (method == "random")


@pytest.mark.parametrize("method", ["random", "grouped", "stratified"])
def test_a_new_split_keeps_copies_together(method: str, checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    images = sorted((tmp_path / "data").glob("*/*.jpg"))
    for image in images[1::2]:
        shutil.copyfile(images[0], image)
    split = (f"write_split={tmp_path / 'split.json'}", f"split_method={method}")
    kinds = {finding.kind for finding in checked(tmp_path / "data", *split)}
    assert "duplicate" in kinds
    assert "duplicate across splits" not in kinds
    written = read_split(tmp_path / "split.json")
    assert sorted(key for keys in written.values() for key in keys) == sorted(
        f"{image.parent.name}/{image.stem}" for image in images
    )


def test_groups_that_are_listed_keep_their_copies(checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    shutil.copyfile(tmp_path / "data/train/train0_0000.jpg", tmp_path / "data/val/val0_0000.jpg")
    shares = "dataset.split={train:[train0,train1],val:[val0],test:[val1]}"
    kinds = {finding.kind for finding in checked(tmp_path / "data", f"write_split={tmp_path / 'split.json'}", shares)}
    assert "duplicate across splits" in kinds
    assert read_split(tmp_path / "split.json") == {"train": ["train0", "train1"], "val": ["val0"], "test": ["val1"]}


def test_folds_are_written_beside_each_other_and_nothing_is_overwritten(checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    options = (f"write_split={tmp_path / 'split.json'}", "folds=4", "dataset.split={train:0.8,val:0.2,test:0.0}")
    checked(tmp_path / "data", *options)
    folds = [read_split(tmp_path / f"split_fold{fold}.json") for fold in range(4)]
    assert sorted(name for fold in folds for name in fold["val"]) == ["train0", "train1", "val0", "val1"]
    with pytest.raises(UserError, match=r"split_fold0\.json exists"):
        checked(tmp_path / "data", *options)
    checked(tmp_path / "data", *options, "dataset.force_resplit=true")


def test_a_manifest_is_a_data_set(checked: Checked, tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    manifest = tmp_path / "lists" / "manifest.csv"
    checked(tmp_path / "data", f"write_split={manifest}", "dataset.split={train:0.5,val:0.5,test:0.0}")
    names = "[sky,building,pole,road,pavement,tree,sign,fence,car,pedestrian,bicyclist,void]"
    findings = checked(manifest.parent, f"dataset.classes={names}", dataset="grocery")
    assert [finding for finding in findings if finding.severity is Severity.FAULT] == []
    lines = manifest.read_text().splitlines()
    assert lines[0] == "image,mask,split,group"
    assert len(lines) == 1 + TRAIN + VAL
    assert all(line.startswith("../data/") for line in lines[1:])


def test_masks_that_are_no_files_make_no_manifest(checked: Checked, tmp_path: Path) -> None:
    root = dict(option.split("=", 1) for option in LAYOUTS["coco"](tmp_path / "data"))["dataset.root"]
    with pytest.raises(UserError, match=r"no image and mask file for each sample; give a \.json"):
        checked(Path(root), f"write_split={tmp_path / 'manifest.csv'}", dataset="coco")
    checked(Path(root), f"write_split={tmp_path / 'split.json'}", dataset="coco")
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["report.html", "split.json"]


def test_what_cannot_be_is_told_before_the_data_is_read(checked: Checked, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        checked(tmp_path / "nowhere", "write_split=split.txt", "folds=1", "split_method=fair")
    for option in ("write_split=split.txt", "folds=1", "split_method=fair"):
        assert option in str(error.value)


def before_training(composed: Compose, root: Path, *options: str, resumes: bool = False) -> None:
    cfg = composed("dataset=camvid", f"dataset.root={root}", *options)
    source = build_source(cfg.dataset)
    check_before_training(cfg, source, build_split(cfg.dataset, source), resumes)


def test_training_looks_at_the_masks_or_at_all_or_at_nothing(composed: Compose, tmp_path: Path) -> None:
    drawn(tmp_path)
    image, mask = Data(tmp_path).next()
    cut(image)
    before_training(composed, tmp_path, "trainer.check_data=quick")
    with pytest.raises(UserError, match="1 image cannot be read"):
        before_training(composed, tmp_path, "trainer.check_data=full")
    cut(mask, 0.9)
    with pytest.raises(UserError, match="1 mask cannot be read"):
        before_training(composed, tmp_path, "trainer.check_data=quick")
    before_training(composed, tmp_path, "trainer.check_data=off")


def test_a_resumed_run_is_not_checked_again(composed: Compose, tmp_path: Path) -> None:
    drawn(tmp_path)
    cut(Data(tmp_path).next()[1], 0.9)
    before_training(composed, tmp_path, "trainer.check_data=full", resumes=True)


def test_a_fault_of_the_data_is_told_before_a_model_is_built(
    composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drawn(tmp_path / "data")
    cut(Data(tmp_path / "data").next()[1], 0.9)
    cfg = composed("dataset=camvid", f"dataset.root={tmp_path / 'data'}", *SMALL)
    with caplog.at_level(logging.INFO), pytest.raises(UserError, match="1 mask cannot be read"):
        train(cfg, tmp_path / "run")
    assert "21 samples: 16 train, 5 val" in caplog.text
    assert "parameters" not in caplog.text
    assert not (tmp_path / "run").exists()


def test_the_reader_goes_on_with_what_is_good_only_for_the_check(tmp_path: Path) -> None:
    drawn(tmp_path / "data")
    Data(tmp_path / "data").next()[1].unlink()
    with pytest.raises(UserError, match="has no mask"):
        camvid(str(tmp_path / "data"), [f"class {index}" for index in range(12)])
