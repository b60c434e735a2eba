"""export.py package=true: a folder that runs by itself, with an example and a model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.apps.export.write import folder_beside, unwritable_in_one_line
from segmentation.data.splits import read_split
from segmentation.errors import UserError
from segmentation.reports.model_card import model_card
from segmentation.runtime.files import link_or_copy, read_json, write_text
from segmentation.runtime.run_folder import RunFolder, read_written

Metadata = Mapping[str, Any]
EXAMPLE = Path(__file__).resolve().parents[2] / "inference" / "standalone.py"  # not imported: it needs onnxruntime


def refuse_unpackable(metadata: Metadata) -> None:
    """Raises `UserError` for a model whose input the example cannot read."""
    given = metadata["input"]
    if given["bands"] not in (1, 3) or given["dtype"] != "uint8":
        raise UserError(
            f"package=true: its example reads pictures of 1 or 3 bands of 8 bits, this run has {given['bands']} bands "
            f"of {given['dtype']}: leave it out"
        )


def write_package(
    path: Path, folder: RunFolder, run: DictConfig, metadata: Metadata, record: Metadata, licence: str | None
) -> Path:
    """Beside the proven file at `path`, none of it before all of it can be written; returns the folder."""
    package = path.with_name("package")
    samples = {split: len(keys) for split, keys in read_written(folder.splits, read_split).items() if keys}
    made_of = {
        "data": Path(str(run.dataset.get("root") or run.dataset["_target_"])).name,
        "samples": samples,
        "licence": licence,
        "command": read_written(folder.environment, read_json).get("command", "not known"),
        "epochs": int(run.trainer.epochs),
    }
    with unwritable_in_one_line(package), folder_beside(package) as written:
        link_or_copy(path, written / "model.onnx")
        write_text(written / "classes.json", folder.classes.read_text(encoding="utf-8"))
        write_text(written / "predict.py", EXAMPLE.read_text(encoding="utf-8"))
        write_text(written / "README.md", model_card(metadata, record, made_of))
        package.mkdir(exist_ok=True)
        for file in written.iterdir():
            file.replace(package / file.name)
    return package
