"""The configurations of mesh data that are shipped, built as the command line builds them."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from segmentation.data.mesh.augmentation import MeshAugmentation
from segmentation.data.mesh.layouts.mesh_folder import mesh_folder
from tests.conftest import ROOT
from tests.data.mesh.mesh_files import LOD3, needs_lod3, write_ply

SHARED = ("faces_per_cluster", "clusters_per_batch", "pixels_per_face", "features", "cache_gb", "monitor")
SPLIT = ("split", "split_seed", "split_file", "force_resplit")


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", list(overrides))


def source_of(cfg: DictConfig) -> Any:
    node: Any = OmegaConf.to_container(cfg.dataset, resolve=True)
    return instantiate({key: value for key, value in node.items() if key not in SHARED + SPLIT}, _convert_="all")


@needs_lod3
def test_lod3_is_as_the_files_tell() -> None:
    source, told = source_of(composed("dataset=lod3", f"dataset.root={LOD3}")), mesh_folder(str(LOD3))
    assert source.classes.names == told.classes.names
    assert {-1: 255, **dict(source.label_ids)} == dict(told.label_ids)
    assert source.textures == LOD3 / "textures"
    assert source.samples == told.samples


def test_a_folder_of_meshes_needs_only_its_root(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", comments=[f"label {number} class{number}" for number in range(6)])
    cfg = composed("dataset=mesh_folder", f"dataset.root={tmp_path}")
    assert source_of(cfg).classes.names == tuple(f"class{number}" for number in range(6))
    assert set(SHARED + SPLIT) <= cfg.dataset.keys()


def test_features_and_pixels_follow_the_options() -> None:
    cfg = composed("dataset=mesh_folder", "dataset.json_features=[light,noise]", "+model.pixels_per_face=24")
    features = instantiate(cfg.dataset.features, _convert_="all")
    assert (features.width, features.extra) == (18, ["light", "noise"])
    assert cfg.dataset.pixels_per_face == 24
    plain = composed("dataset=lod3", "dataset.features.frequencies=4")
    assert instantiate(plain.dataset.features, _convert_="all").width == 40
    assert plain.dataset.pixels_per_face == 0


def test_the_augmentation_is_built() -> None:
    made = instantiate(composed("augmentation=mesh").augmentation, _convert_="all")
    assert isinstance(made, MeshAugmentation)
    assert made.rotate == [0, 0, 180]
