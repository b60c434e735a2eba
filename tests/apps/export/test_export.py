"""A model as a file: what it gives, what it says of itself, and what is refused."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import Tensor, nn

from segmentation.apps.evaluation.evaluate import evaluate_run
from segmentation.apps.export.export import export_run
from segmentation.apps.export.package import EXAMPLE, write_package
from segmentation.apps.prediction.models import open_exported
from segmentation.apps.runs.opened import read_classes
from segmentation.errors import UserError
from segmentation.inference.decision import said
from segmentation.inference.exported import METADATA, ExportedModel
from segmentation.runtime.checkpoint import load_checkpoint, save_checkpoint
from segmentation.runtime.files import read_json, write_json
from segmentation.runtime.run_folder import RunFolder
from tests.apps.conftest import described
from tests.conftest import ROOT, Compose
from tests.models.image.own_network import OwnNetwork

Export = Callable[..., float]
NEEDED_BY_THE_EXAMPLE = ("onnxruntime", "numpy", "PIL", "flatbuffers", "google", "packaging")  # what pip installs
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture
def export(scored: RunFolder, composed: Compose) -> Export:
    return lambda *options: export_run(composed(f"run={scored.path}", *options, name="export"))


def ids_by_hand(folder: RunFolder, pixels: np.ndarray) -> np.ndarray:
    """Of the run's network itself, normalised here: `[B, H, W, 3]` -> `[B, H, W]`."""
    weights = load_checkpoint(folder.checkpoint("best"))["model"]
    network = OwnNetwork(len(read_classes(folder.classes))).eval()
    network.load_state_dict({name.removeprefix("network."): value for name, value in weights.items()})
    normalised = torch.from_numpy(((pixels / 255 - MEAN) / STD).astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        ids: np.ndarray = network(normalised)["out"].argmax(dim=1).numpy()
    return ids


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_onnx_at_any_size_gives_what_the_network_gives(scored: RunFolder, export: Export) -> None:
    assert export() > 0.9999
    session = onnxruntime.InferenceSession(scored.export / "model.onnx")
    for shape in ((1, 32, 64, 3), (3, 45, 33, 3), (2, 7, 130, 3), (1, 1, 1, 3)):
        pixels = noise(*shape)
        (ids,) = session.run(None, {"pixels": pixels})
        assert ids.dtype == np.uint8
        assert (ids == ids_by_hand(scored, pixels)).mean() > 0.999
    record = read_json(scored.export / "export.json")["model.onnx"]
    assert record["pixel_agreement"] > 0.9999
    assert record["proven_on"] == "2 validation images"
    assert len(record["pixel_agreement_by_picture"]) == 3, "and crops of odd sizes"
    assert record["mIoU"] == pytest.approx(record["mIoU_eager"], abs=1e-3)
    assert record["bytes"] == (scored.export / "model.onnx").stat().st_size
    assert record["latency_ms"] > 0
    assert [entry.name for entry in scored.export.iterdir() if entry.name.startswith(".")] == []


def test_the_file_says_what_it_is(scored: RunFolder, composed: Compose, export: Export) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", "report=false", name="evaluate"))
    trained_with = {"git": {"commit": "abc123", "dirty": False}}
    write_json(scored.environment, trained_with)
    export("layout=nchw", "probabilities=true", f"output={scored.path / 'street.onnx'}")
    model = ExportedModel.open(scored.path / "street.onnx")
    assert model.classes == read_classes(scored.classes)
    assert model.metadata["input"] == {
        "name": "pixels",
        "layout": "nchw",
        "dtype": "uint8",
        "white": 255,
        "bands": 3,
        "size_in_training": [32, 64],
    }
    evaluation = read_json(scored.evaluation / "val.json")
    assert model.metadata["metrics"] == evaluation["metrics"]
    assert model.metadata["intervals"] == evaluation["intervals"]
    assert model.metadata["git"] == trained_with["git"]
    assert (model.metadata["checkpoint"], model.metadata["epoch"], model.metadata["weights"]) == ("best", 1, "raw")
    assert "confidence" in model.metadata
    pixels = noise(2, 20, 30, 3)
    ids, probabilities = model(pixels.transpose(0, 3, 1, 2))
    assert (ids == ids_by_hand(scored, pixels)).mean() > 0.999
    assert probabilities.shape == (2, len(model.classes), 20, 30)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (probabilities.argmax(axis=1) == ids).all()
    assert {entry.domain: entry.version for entry in onnx.load(scored.path / "street.onnx").opset_import}[""] == 18


def test_another_opset_is_the_one_that_was_asked_for(scored: RunFolder, export: Export) -> None:
    assert export("opset=20", "proof_images=1") > 0.999
    model = onnx.load(scored.export / "model.onnx")
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 20
    (given,) = model.graph.input
    shape = [dimension.dim_param or dimension.dim_value for dimension in given.type.tensor_type.shape.dim]
    assert shape == ["batch", "height", "width", 3]
    with pytest.raises(UserError, match="opset"):
        export("opset=99")


def test_thresholds_are_inside(scored: RunFolder, export: Export) -> None:
    export("thresholds={road:0.2}", "otherwise=void", "probabilities=true", "proof_images=1")
    model = ExportedModel.open(scored.export / "model.onnx")
    ids, probabilities = model(noise(2, 20, 30, 3))
    names = model.classes.names
    least = [0.2 if name == "road" else 0.0 for name in names]
    expected = np.stack([said(picture, least, names.index("void")) for picture in probabilities])
    assert (ids == expected).all()
    assert (model.metadata["thresholds"], model.metadata["otherwise"]) == ({"road": 0.2}, names.index("void"))
    with pytest.raises(UserError, match="there is no class raod; did you mean road"):
        export("thresholds={raod:0.2}")


def test_fp16_is_half_the_size_and_close(scored: RunFolder, export: Export) -> None:
    assert export("precision=fp16") > 0.995
    kinds = {tensor.data_type for tensor in onnx.load(scored.export / "model-fp16.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds


def test_int8_is_calibrated_on_images(scored: RunFolder, export: Export) -> None:
    export("precision=int8")
    model = onnx.load(scored.export / "model-int8.onnx")
    assert {node.op_type for node in model.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    assert METADATA in {entry.key for entry in model.metadata_props}
    assert sorted(path.name for path in scored.export.iterdir()) == ["export.json", "model-int8.onnx"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("torch_export", "model.pt2"),
        ("torchscript", "model.ts"),
        ("tensorrt", "model.onnx"),
        pytest.param("aot_inductor", "model-aot.pt2", marks=pytest.mark.soak),
    ],
)
def test_other_formats(scored: RunFolder, export: Export, kind: str, name: str) -> None:
    assert export(f"format={kind}") > 0.9999
    assert read_json(scored.export / "export.json")[name]["format"] == kind
    pixels = noise(2, 45, 33, 3)
    if kind == "torch_export":
        said = {METADATA: ""}
        program = torch.export.load(scored.export / name, extra_files=said)
        ids = program.module()(torch.from_numpy(pixels)).numpy()
        assert json.loads(said[METADATA])["classes"] == read_json(scored.classes)["classes"]
    elif kind == "torchscript":
        said = {METADATA: ""}
        ids = torch.jit.load(scored.export / name, _extra_files=said)(torch.from_numpy(pixels)).numpy()
        assert json.loads(said[METADATA])["ignore_index"] == 255
    elif kind == "aot_inductor":
        package = torch._inductor.aoti_load_package(str(scored.export / name))
        ids = package(torch.from_numpy(pixels)).numpy()
        assert json.loads(package.get_metadata()[METADATA])["classes"] == read_json(scored.classes)["classes"]
    else:
        ids = ExportedModel.open(scored.export / name)(pixels)[0]
        command = (scored.export / "model.trtexec.sh").read_text()
        assert command.startswith("trtexec --onnx=model.onnx --saveEngine=model.engine --minShapes=pixels:1x32x32x3 ")
    assert (ids == ids_by_hand(scored, pixels)).mean() > 0.999


def test_without_a_compiler_nothing_is_compiled(
    scored: RunFolder, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for named in ("g++", "ccache g++"):
        monkeypatch.setenv("CXX", named)
        needed = f"^format=aot_inductor needs a C\\+\\+ compiler, and {re.escape(named.split()[0])} is not installed"
        with pytest.raises(UserError, match=needed):
            export("format=aot_inductor")
    assert not scored.export.exists()


def test_without_data_the_proof_is_on_noise(scored: RunFolder, export: Export) -> None:
    root = read_root(scored)
    scored.config.write_text(scored.config.read_text().replace(root, "/nowhere"))
    export()
    record = read_json(scored.export / "export.json")["model.onnx"]
    assert record["proven_on"] == "noise"
    assert record["mIoU"] is None
    with pytest.raises(UserError, match=r"^precision=int8 is calibrated on validation images: give dataset\.root="):
        export("precision=int8")
    export("precision=int8", f"dataset.root={root}")
    with pytest.raises(UserError, match=r"^dataset\.root=/no is not there"):
        export("dataset.root=/no")


def test_data_with_other_classes_proves_nothing(scored: RunFolder, export: Export) -> None:
    classes = read_json(scored.classes)
    classes["classes"][0]["name"] = "lawn"
    write_json(scored.classes, classes)
    with pytest.raises(UserError, match=r"has other classes than the run: missing \['lawn'\], extra \['\w+'\]"):
        export()


def read_root(folder: RunFolder) -> str:
    (line,) = (line for line in folder.config.read_text().splitlines() if line.startswith("  root: "))
    return line.removeprefix("  root: ")


class Fickle(nn.Module):
    """Another network in the file than in the run."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, num_classes, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.layer(pixels)
        return logits.roll(1, dims=1) if torch.compiler.is_exporting() else logits


class Unexportable(Fickle):
    def forward(self, pixels: Tensor) -> Tensor:
        scale = float(pixels.mean().item())
        logits: Tensor = self.layer(pixels) * (2 if scale > 0 else 1)
        return logits


def run_of(network: type[Fickle], small: Compose, path: Path) -> RunFolder:
    folder = described(
        small("model=own", f"model.network._target_={__name__}.{network.__name__}", "loss.class_weights=null"), path
    )
    state = network(len(read_classes(folder.classes))).state_dict()
    model = {f"network.{name}": value for name, value in state.items()}
    save_checkpoint(folder.checkpoint("best"), {"model": model, "epoch": 1})
    return folder


def test_a_file_that_is_not_the_model_is_deleted(small: Compose, composed: Compose, tmp_path: Path) -> None:
    folder = run_of(Fickle, small, tmp_path / "run")
    folder.export.mkdir()
    (folder.export / "model.onnx").write_bytes(b"proven before")
    with pytest.raises(
        UserError, match=r"^model\.onnx is not what the model is and was deleted: 3 of 3 pictures"
    ) as told:
        export_run(composed(f"run={folder.path}", name="export"))
    assert "v0" in str(told.value), "pictures are named"
    assert [path.name for path in folder.export.iterdir()] == ["model.onnx"]
    assert (folder.export / "model.onnx").read_bytes() == b"proven before"


def test_int8_that_loses_too_much_is_deleted(small: Compose, composed: Compose, tmp_path: Path) -> None:
    """The network says road everywhere and the file another class, which is rarer."""
    folder = run_of(Fickle, small, tmp_path / "run")
    names = read_classes(folder.classes).names
    model = load_checkpoint(folder.checkpoint("best"))["model"]
    model["network.layer.bias"] = torch.zeros(len(names)).index_fill(0, torch.tensor(names.index("road")), 9.0)
    model["network.layer.weight"] *= 0.01
    save_checkpoint(folder.checkpoint("best"), {"model": model, "epoch": 1})
    with pytest.raises(
        UserError, match=r"^model-int8\.onnx is not what the model is and was deleted: mIoU falls from 0\."
    ) as told:
        export_run(composed(f"run={folder.path}", "precision=int8", name="export"))
    assert "v0" in str(told.value), "pictures are named"
    assert list(folder.export.iterdir()) == []


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As where the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "options", [["format=onnx"], ["precision=int8"], ["format=torch_export"], ["format=torchscript"]]
)
def test_without_space_what_was_there_stays(scored: RunFolder, export: Export, options: list[str]) -> None:
    scored.export.mkdir()
    for name in ("model.onnx", "model-int8.onnx", "model.pt2", "model.ts"):
        (scored.export / name).write_bytes(b"proven before")
    before = sorted(scored.export.iterdir())
    with no_file_larger_than(2048), pytest.raises(UserError, match=r"^[^\n]+ cannot be written \(File too large\)"):
        export(*options)
    assert sorted(scored.export.iterdir()) == before
    assert all(path.read_bytes() == b"proven before" for path in before)


def test_a_package_is_whole_or_as_it_was(scored: RunFolder, export: Export) -> None:
    export("package=true", "proof_images=1")
    package, model = scored.export / "package", scored.export / "model.onnx"
    (package / "classes.json").write_text("of an earlier one")
    run, metadata = OmegaConf.load(scored.config), ExportedModel.open(model).metadata
    assert isinstance(run, DictConfig)
    assert EXAMPLE.stat().st_size > scored.classes.stat().st_size
    with no_file_larger_than(scored.classes.stat().st_size), pytest.raises(UserError, match="cannot be written"):
        write_package(model, scored, run, metadata, {}, None)
    assert (package / "classes.json").read_text() == "of an earlier one"
    assert len(list(package.iterdir())) == 4
    assert len(list(scored.export.iterdir())) == 3, "and nothing is left behind"


def test_what_cannot_be_exported_is_one_line(small: Compose, composed: Compose, tmp_path: Path) -> None:
    folder = run_of(Unexportable, small, tmp_path / "run")
    with pytest.raises(UserError, match=r"^format=torch_export: this model cannot be exported: ") as told:
        export_run(composed(f"run={folder.path}", "format=torch_export", name="export"))
    assert "\n" not in str(told.value)
    assert list(folder.export.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["format=onx"], "format=onx: expected one of onnx, torch_export"),
        (["format=torchscript", "precision=int8"], "precision=int8 with format=torchscript"),
        (["format=torch_export", "package=true"], "package=true with format=torch_export"),
        (["checkpoint=last"], "checkpoint=last is neither in"),
        (["output=model.pt"], "output=model.pt: a file of format=onnx ends with .onnx"),
        (["layout=hwc", "opset=9"], "2 faults"),
    ],
)
def test_impossible_options(export: Export, scored: RunFolder, options: list[str], says: str) -> None:
    with pytest.raises(UserError, match=r"^" + says.replace(".", r"\.") if says != "2 faults" else says):
        export(*options)
    assert not scored.export.exists()


def test_a_run_without_a_checkpoint(folder: RunFolder, composed: Compose) -> None:
    with pytest.raises(UserError, match="no checkpoint yet"):
        export_run(composed(f"run={folder.path}", name="export"))


def test_files_that_are_not_ours(scored: RunFolder, export: Export, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(UserError, match="cannot be read as ONNX"):
        ExportedModel.open(broken)
    with pytest.raises(UserError, match="there is no file"):
        ExportedModel.open(tmp_path / "none.onnx")
    export()
    model = onnx.load(scored.export / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(UserError, match=r"export\.py did not write"):
        ExportedModel.open(tmp_path / "foreign.onnx")
    for text in ("{", "[]"):
        with pytest.raises(UserError, match="export the run anew"):
            ExportedModel.open(saying(model, text, tmp_path))


def test_a_file_that_does_not_say_all(scored: RunFolder, export: Export, composed: Compose, tmp_path: Path) -> None:
    export()
    model = onnx.load(scored.export / "model.onnx")
    for text in ("{}", '{"classes": ["a"]}'):
        with pytest.raises(UserError, match="export the run anew"):
            open_exported(composed(f"model={saying(model, text, tmp_path)}", name="predict"))


def saying(model: onnx.ModelProto, text: str, folder: Path) -> Path:
    onnx.helper.set_model_props(model, {METADATA: text})
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def with_packages(folder: Path, *names: str) -> Path:
    """A folder from which these packages can be imported, and no others."""
    folder.mkdir()
    for name in names:
        spec = find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        package = Path(spec.submodule_search_locations[0])
        for found in (package, package.with_name(f"{name.lower()}.libs"), package.with_name("pillow.libs")):
            if found.is_dir() and not (folder / found.name).exists():
                (folder / found.name).symlink_to(found)
    return folder


def test_the_package_runs_by_itself(scored: RunFolder, composed: Compose, export: Export, tmp_path: Path) -> None:
    evaluate_run(composed(f"run={scored.path}", "resamples=100", "report=false", name="evaluate"))
    export("package=true", "data_licence=CC BY 4.0")
    package = scored.export / "package"
    assert sorted(path.name for path in package.iterdir()) == ["README.md", "classes.json", "model.onnx", "predict.py"]
    assert len((package / "predict.py").read_text().splitlines()) <= 60
    assert read_json(package / "classes.json") == read_json(scored.classes)
    card = (package / "README.md").read_text()
    for words in (
        "into 13 classes",
        "4 images for train",
        "Licence: CC BY 4.0",
        "| mIoU | 0.",
        "| 7 | road | 128, 64, 128 |",
    ):
        assert words in card, card

    pixels = noise(32, 64, 3)
    Image.fromarray(pixels).save(tmp_path / "street.png")
    done = subprocess.run(
        [sys.executable, "-S", str(package / "predict.py"), "street.png"],  # -S: no packages but those that are named
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(with_packages(tmp_path / "packages", *NEEDED_BY_THE_EXAMPLE))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "street_mask.png") as mask:
        assert mask.mode == "P"
        ids, colours = np.asarray(mask), np.asarray(mask.convert("RGB"))
    assert (ids == ids_by_hand(scored, pixels[None])[0]).mean() > 0.999
    classes = read_classes(scored.classes)
    assert (colours == classes.paint(ids)).all()
    largest = classes.names[np.bincount(ids.ravel()).argmax()]
    assert done.stdout.startswith(f"street_mask.png: {largest} ")


def test_a_package_for_other_pictures_is_refused(scored: RunFolder, export: Export) -> None:
    scored.config.write_text(scored.config.read_text().replace("max_value: null", "max_value: 255"))
    with pytest.raises(UserError, match=r"^package=true: its example reads pictures of 1 or 3 bands of 8 bits"):
        export("package=true")


def test_a_file_is_read_without_pytorch(scored: RunFolder, export: Export) -> None:
    export("proof_images=1")
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy; from pathlib import Path; from segmentation.inference.exported import ExportedModel\n"
        "model = ExportedModel.open(Path(sys.argv[1]))\n"
        "print(len(model.classes), *model(numpy.zeros((1, 5, 9, 3), numpy.uint8))[0].shape)"
    )
    command = [sys.executable, "-c", program, str(scored.export / "model.onnx")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["13", "1", "5", "9"]
