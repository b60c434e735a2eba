"""What goes with one kind of data alone: images, or meshes."""

from collections.abc import Iterator, Mapping

from segmentation.apps.config.content import ABSENT, Content, at, nodes, shown
from segmentation.build.meshes import is_for_meshes
from segmentation.data.mesh.features import WIDTHS

EXAMPLES = {  # of each group that has a kind, what to give for meshes and for images
    "dataset": ("dataset=mesh_folder", "dataset=folder"),
    "model": ("model=nomeformer", "model=unet"),
    "augmentation": ("augmentation=mesh", "augmentation=light"),
}
OFF: Mapping[str, object] = {  # options of images, and how they are left alone
    "trainer.batch_by_size": False,
    "trainer.device_augmentation": False,
    "trainer.max_bad_samples": 0,
    "trainer.multi_scale.range": None,
    "trainer.multi_scale.sizes": None,
}
OF_NEIGHBOURS = (  # losses that compare what is side by side in a target
    "segmentation.losses.boundary.BoundaryF1",
    "segmentation.losses.rmi.RegionMutualInformation",
)
STARTS_WITH_CORNERS = "segmentation.models.mesh.pretraining.nomeformer_pretrain"


def mixed_kinds(content: Content) -> Iterator[str]:
    """Model, data and augmentation are all for images, or all for meshes. Values may be interpolations still: those of
    a model for images name what only images have.
    """
    targets = {group: at(content, f"{group}._target_") for group in EXAMPLES}
    if not all(isinstance(target, str) for target in targets.values()):
        return  # told where it is missing
    of_meshes = [group for group in EXAMPLES if is_for_meshes(content[group])]
    of_images = [group for group in EXAMPLES if group not in of_meshes]
    if of_meshes and of_images:
        for_meshes, for_images = (
            " and ".join(f"{group}._target_={targets[group]}" for group in groups) for groups in (of_meshes, of_images)
        )
        as_meshes, as_images = (
            " ".join(EXAMPLES[group][place] for group in groups) for place, groups in enumerate((of_images, of_meshes))
        )
        yield f"for meshes: {for_meshes}; for images: {for_images}; give {as_meshes} too, or {as_images} instead"


def kind_faults(content: Content) -> Iterator[str]:
    """Of a run on meshes: options and losses that are for images, and what data and model have to agree on."""
    if is_for_meshes(content.get("dataset")):
        yield from _options_of_images(content)
        yield from _losses_of_images(content)
        yield from _feature_faults(content)


def _options_of_images(content: Content) -> Iterator[str]:
    for path, off in OFF.items():
        if at(content, path) not in (off, ABSENT):
            yield f"{path}={shown(at(content, path))}: it is for images; leave it out for meshes"


def _losses_of_images(content: Content) -> Iterator[str]:
    for path, node in nodes(content.get("loss"), "loss"):
        if node.get("_target_") in OF_NEIGHBOURS:
            yield f"{path}._target_={node['_target_']}: it compares neighbouring pixels; for meshes choose another"


def _feature_faults(content: Content) -> Iterator[str]:
    """Of the numbers and pixels that the data gives and the model takes."""
    names, model = at(content, "dataset.features.names"), at(content, "model._target_")
    if not isinstance(names, list) or not set(map(str, names)) <= WIDTHS.keys():
        yield f"dataset.features.names={shown(names)}: expected a list of {', '.join(WIDTHS)}"
    elif model == STARTS_WITH_CORNERS and names[:1] != ["corners"]:
        yield f"dataset.features.names={shown(names)}: model=nomeformer_pretrain needs corners, as the first"
    if at(content, "model.pixels_per_face") is not ABSENT and at(content, "dataset.pixels_per_face") == 0:
        yield "dataset.pixels_per_face=0: the model sees textures; leave it out, or choose model=nomeformer"
