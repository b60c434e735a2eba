"""A folder of meshes, in parts or not, with what belongs to them in the files or in folders beside:

<root>/train/a.ply  <root>/val/b.ply  <root>/textures/*.jpg                        or
<root>/meshes/a_labeled.obj  <root>/labels/a.txt  <root>/pixels/a.pkl  <root>/json/a.json
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.classes import Classes
from segmentation.data.class_list import Spec, class_list
from segmentation.data.faults import counted, refuse
from segmentation.data.folders import PART_WORDS, Found, data_folder, files_by_stem, folders
from segmentation.data.mesh.formats.per_face import refuse_leaking
from segmentation.data.mesh.source import FORMATS, MeshSample, MeshSource
from segmentation.data.remap import Remap, remapped
from segmentation.data.splits import grouped
from segmentation.errors import UserError

LABELED = "_labeled"  # older tools add it to the names of meshes
LABELS, PIXELS, EXTRA = (".txt", ".label", ".labels", ".seg"), (".pkl", ".pickle"), (".json",)
NOTHING = ("unclassified", "unlabelled", "unlabeled", "void", "ignore")  # names of what is no class
STORED = range(-(2**31), 2**31)
CLASS = re.compile(r"^comment +label +(-?\d+) +(.+?) *\r?$", re.MULTILINE)
HEADER = 2**16  # bytes


def mesh_folder(
    root: str,
    classes: Spec = None,
    remap: Mapping[int, int | str] | None = None,
    ignore_index: int = 255,
    mesh_dir: str = ".",
    label_dir: str | None = None,
    texture_dir: str | None = None,
    json_dir: str | None = None,
    json_features: Sequence[str] = (),
    group: str | None = None,
) -> MeshSource:
    """PLY and OBJ files below `mesh_dir`; where it holds folders train, val or test, what lies in these.

    `label_dir` and `json_dir` hold a file for each mesh, of the same stem: one label a line, and further numbers of the
    faces. `texture_dir` holds the texture images, or for each mesh its pixels as older tools pickled them. All folders
    are below `root`.

    `remap` says which class the numbers in the files stand for, all of them: `{1: wall, 0: ignore}`. None: a number is
    the class id, -1 ignored. Where `classes` is None too, the names are those of the lines `comment label ID NAME` of
    the first PLY; unclassified is ignored, and so is -1 unless it has a name. `group` is a regular expression whose
    first parentheses find in a sample's key what a split keeps together.

    Raises `UserError` with all faults of the folders together.
    """
    refuse_leaking(json_features)
    if json_features and not json_dir:
        raise UserError(
            f"dataset.json_features={list(json_features)}: give dataset.json_dir, the folder that tells them"
        )
    data = data_folder(root)
    meshes, faults = _meshes(_existing(data, mesh_dir, "mesh_dir"))
    label_files = _companions(data, label_dir, "label_dir", LABELS, meshes, faults)
    extra_files = _companions(data, json_dir, "json_dir", EXTRA, meshes, faults)
    textures = None if texture_dir is None else _existing(data, texture_dir, "texture_dir")
    pickled = textures is not None and bool(files_by_stem(textures, PIXELS, below=True)[0])
    pixel_files = _companions(data, texture_dir if pickled else None, "texture_dir", PIXELS, meshes, faults)
    samples, without_group = grouped(
        [
            MeshSample(key, key, path, label_files.get(key), pixel_files.get(key), extra_files.get(key), _part(key))
            for key, path in sorted(meshes.items())
        ],
        group,
    )
    refuse(f"dataset.root={root} has {counted(faults + without_group)}: mend or remove these", faults + without_group)
    if not samples:
        raise UserError(f"dataset.root={root} holds no mesh ({', '.join(FORMATS)}) in {mesh_dir}")
    names, label_ids = _labels(classes, remap, data, ignore_index, [sample.mesh for sample in samples])
    return MeshSource(root, tuple(samples), names, label_ids, textures, tuple(json_features))


def _existing(data: Path, name: str, option: str) -> Path:
    folder = data / name
    if not folder.is_dir():
        raise UserError(f"dataset.{option}={name}: there is no such folder in {data}")
    return folder


def _meshes(folder: Path) -> tuple[dict[str, Path], list[str]]:
    parts = {entry.name for entry in folders(folder) if entry.name.lower() in PART_WORDS}
    found, faults = files_by_stem(folder, FORMATS, below=True)
    if parts:
        found = {key: path for key, path in found.items() if key.partition("/")[0] in parts}
    return _without_suffix((found, faults))


def _part(key: str) -> str | None:
    first, slash, _ = key.partition("/")
    return PART_WORDS.get(first.lower()) if slash else None


def _without_suffix(files: Found) -> Found:
    found, faults = files
    plain: dict[str, Path] = {}
    for key, path in found.items():
        stem = key.removesuffix(LABELED)
        if stem in plain:
            faults.append(f"{path.parent} holds {plain[stem].name} and {path.name}: two meshes of one name")
        plain[stem] = path
    return plain, faults


def _companions(
    data: Path, folder: str | None, option: str, suffixes: Sequence[str], meshes: Mapping[str, Path], faults: list[str]
) -> dict[str, Path]:
    """The file of each mesh, in the same parts or in none; what is missing joins the `faults`."""
    if folder is None:
        return {}
    place = _existing(data, folder, option)
    found, wrong = _without_suffix(files_by_stem(place, suffixes, below=True))
    faults += wrong
    of_mesh = {key: found.get(key) or found.get(key.rpartition("/")[2]) for key in meshes}
    faults += [f"{meshes[key]} has no {'/'.join(suffixes)} in {place}" for key, path in of_mesh.items() if path is None]
    lone = sorted(set(found.values()) - set(of_mesh.values()))
    faults += [f"{path} has no mesh" for path in lone]
    return {key: path for key, path in of_mesh.items() if path is not None}


def _labels(
    classes: Spec, remap: Mapping[int, int | str] | None, data: Path, ignore_index: int, meshes: Sequence[Path]
) -> tuple[Classes, Remap]:
    if classes is None and remap is None:
        told = _told_by_all(meshes)
        if told:
            names = [name for name in told.values() if name.lower() not in NOTHING]
            remap = {-1: "ignore"} | {number: name if name in names else "ignore" for number, name in told.items()}
            classes = names
    listed = class_list(classes, data, ignore_index)
    ids = {name: place for place, name in enumerate(listed.names)}
    if remap is not None:
        return listed, remapped(remap, ids, ignore_index, STORED)
    return listed, (*((place, place) for place in ids.values()), (-1, ignore_index), (ignore_index, ignore_index))


def _told_by_all(meshes: Sequence[Path]) -> dict[int, str]:
    """The classes that the first mesh tells, by number. Raises `UserError` where others call one otherwise."""
    first = _told(meshes[0])
    faults = []
    for mesh in meshes[1:]:
        told = {number: name for number, name in _told(mesh).items() if first.get(number, name) != name}
        faults += [f"{mesh}: {number} is {name}, not {first[number]}" for number, name in told.items()]
    title = f"{meshes[0]} says which number is which class, others say otherwise ({counted(faults)})"
    refuse(f"{title}: label them alike, or give dataset.classes and dataset.remap", faults)
    return first


def _told(mesh: Path) -> dict[int, str]:
    """The classes in the header of a PLY, by number."""
    with mesh.open("rb") as file:
        header = file.read(HEADER).partition(b"end_header")[0].decode("utf-8", errors="replace")
    return {int(number): name for number, name in CLASS.findall(header)}
