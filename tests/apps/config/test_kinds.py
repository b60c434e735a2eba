"""What goes with one kind of data alone."""

import pytest
from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.check import faults_in
from tests.conftest import Compose

MESHES = ("dataset=mesh_folder", "dataset.root=data", "augmentation=mesh", "dataset.classes=[wall,roof]")


@pytest.fixture
def meshes(composed: Compose) -> DictConfig:
    return composed("model=nomeformer", *MESHES)


@pytest.fixture
def images(composed: Compose) -> DictConfig:
    return composed("model=unet", "dataset=folder", "dataset.root=data", "dataset.classes=[wall,roof]")


def faults_with(cfg: DictConfig, path: str, value: object) -> list[str]:
    changed = cfg.copy()
    OmegaConf.update(changed, path, value, force_add=True)
    return faults_in(changed)


def test_each_kind_alone_is_well(meshes: DictConfig, images: DictConfig, composed: Compose) -> None:
    assert faults_in(meshes) == faults_in(images) == []
    assert faults_in(composed("model=nomeformer_pretrain", "loss=masked_prediction", *MESHES)) == []
    assert faults_in(composed("model=nomeformer_textured", *MESHES)) == []


@pytest.mark.parametrize(
    ("groups_of_images", "advice"),
    [
        (("augmentation",), "give augmentation=mesh too, or dataset=folder model=unet instead"),
        (("model",), "give model=nomeformer too, or dataset=folder augmentation=light instead"),
        (("model", "augmentation"), "give model=nomeformer augmentation=mesh too, or dataset=folder instead"),
        (("dataset", "augmentation"), "give dataset=mesh_folder augmentation=mesh too, or model=unet instead"),
        (("dataset", "model"), "give dataset=mesh_folder model=nomeformer too, or augmentation=light instead"),
    ],
)
def test_kinds_that_do_not_go_together_are_told_with_what_to_give(
    groups_of_images: tuple[str, ...], advice: str, meshes: DictConfig, images: DictConfig
) -> None:
    for group in groups_of_images:
        meshes[group] = images[group]
    (told,) = faults_in(meshes)
    assert told.startswith("for meshes: ")
    assert told.endswith(advice)


def test_options_of_a_data_set_are_those_of_its_kind(meshes: DictConfig, images: DictConfig) -> None:
    (fault,) = faults_with(images, "dataset.faces_per_cluster", 64)
    assert fault.startswith("dataset.faces_per_cluster: there is no such key; ")
    (fault,) = faults_with(meshes, "dataset.image_size", [64, 64])
    assert fault.startswith("dataset.image_size: there is no such key; ")
    (fault,) = faults_with(meshes, "dataset.face_per_cluster", 64)
    assert fault == "dataset.face_per_cluster: there is no such key; did you mean faces_per_cluster?"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trainer.batch_by_size", True),
        ("trainer.device_augmentation", True),
        ("trainer.max_bad_samples", 3),
        ("trainer.multi_scale.range", [0.5, 1.5]),
        ("trainer.multi_scale.sizes", [[64, 64]]),
    ],
)
def test_options_of_images_are_refused_for_meshes(path: str, value: object, meshes: DictConfig) -> None:
    (fault,) = faults_with(meshes, path, value)
    assert fault.startswith(f"{path}=")
    assert fault.endswith("it is for images; leave it out for meshes")


@pytest.mark.parametrize("loss", ["boundary", "ce_boundary", "rmi", "bce_rmi"])
def test_losses_of_neighbouring_pixels_are_refused_for_meshes(loss: str, composed: Compose) -> None:
    told = [fault for fault in faults_in(composed("model=nomeformer", *MESHES, f"loss={loss}")) if "pixels" in fault]
    assert len(told) == 1
    assert "it compares neighbouring pixels; for meshes choose another" in told[0]


def test_features_are_those_that_there_are_and_that_the_model_needs(meshes: DictConfig, composed: Compose) -> None:
    path = "dataset.features.names"
    assert faults_with(meshes, path, ["area", "corners"]) == []
    (fault,) = faults_with(meshes, path, ["corner"])
    assert fault.startswith('dataset.features.names=["corner"]: expected a list of corners, angles')
    pretraining = composed("model=nomeformer_pretrain", "loss=masked_prediction", *MESHES)
    (fault,) = faults_with(pretraining, path, ["area", "corners"])
    assert fault.endswith("needs corners, as the first")


@pytest.mark.parametrize(
    ("path", "value"),
    [("faces_per_cluster", 0), ("clusters_per_batch", 0), ("pixels_per_face", -1), ("features.wavelength", 0)],
)
def test_numbers_that_cannot_be_are_told(path: str, value: int, meshes: DictConfig) -> None:
    (fault,) = faults_with(meshes, f"dataset.{path}", value)
    assert fault.startswith(f"dataset.{path}={value}: expected ")


def test_a_model_that_sees_textures_needs_some(composed: Compose) -> None:
    (fault,) = faults_with(composed("model=nomeformer_textured", *MESHES), "dataset.pixels_per_face", 0)
    assert fault.startswith("dataset.pixels_per_face=0: the model sees textures; leave it out")
