"""The classes of a data set, wherever they are told: in the configuration, in a file, in the data set itself."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from segmentation.classes import Classes
from segmentation.errors import UserError

IN_ROOT = ("classes.txt", "classes.csv", "classes.json", "classes.yaml", "data.yaml")  # looked for in this order
SUFFIXES = (".txt", ".csv", ".json", ".yaml", ".yml")
LISTS = ("classes", "names")  # the keys under which a JSON or YAML file may hold its list
LINE = re.compile(r"(?:(?P<id>\d+)[\s,;:]+)?(?P<name>.+?)(?:[\s,;]+(?P<color>\d+[\s,;]+\d+[\s,;]+\d+))?")
HEADER = re.compile(r"(id[\s,;]+)?name([\s,;]+(color|colour|r[\s,;]+g[\s,;]+b))?", re.IGNORECASE)  # of a table
Entry = dict[str, Any]  # name, perhaps color and id
Spec = str | Sequence[str | Mapping[str, Any]] | None


def class_list(spec: Spec, root: Path, ignore_index: int, found: Spec = None, needs_colors: bool = False) -> Classes:
    """`spec` is what `dataset.classes` says:

    - a list of `{name, color}`, of `{name}` or of plain names;
    - the path of a file (from the working folder or below `root`): `.txt` or `.csv` with a line `id name`, `name` or
      `id name r g b` for each class, `.json` or `.yaml` with a list or `{id: name}`, there or under classes or names;
    - a text of names, `background,defect`, or of a list, `["background", "defect"]`, as an environment holds it;
    - None: what the data set itself tells (`found`, in the same forms), else a file of `IN_ROOT` in its folder.

    Classes with ids are sorted by them; one whose id is the ignore index is left out. Raises `UserError` for repeated
    names, ids with gaps, a missing or unreadable file, none given, and missing colours where `needs_colors`.
    """
    entries, place = _entries(spec, root) if spec is not None else _found(found, root)
    ordered = _by_id(entries, ignore_index, place)
    if needs_colors and not all(entry.get("color") for entry in ordered):
        raise UserError(
            f"{place} gives no colours: mask_format=palette needs one for each class, as the masks have them"
        )
    return Classes.from_entries(ordered, ignore_index)


def _found(found: Spec, root: Path) -> tuple[list[Entry], str]:
    if found is not None:
        return _entries(found, root)
    file = next((root / name for name in IN_ROOT if (root / name).is_file()), None)
    if file is None:
        raise UserError(
            f"dataset.classes is not given and {root} holds no {IN_ROOT[0]}: "
            "give dataset.classes=[background,defect], or the path of a file with a line `id name` for each class"
        )
    return _of_file(file), str(file)


def _entries(spec: Spec, root: Path) -> tuple[list[Entry], str]:
    """Names and what else is known of each class, and where that stands."""
    if isinstance(spec, str) and Path(spec.strip()).suffix.lower() in SUFFIXES:
        file = _existing(spec.strip(), root)
        return _of_file(file), str(file)
    if isinstance(spec, str) and spec.strip().startswith(("[", "{")):
        return _of_text(spec), f"dataset.classes={spec}"
    if isinstance(spec, str):
        return [{"name": name.strip()} for name in spec.split(",") if name.strip()], f"dataset.classes={spec}"
    if isinstance(spec, Sequence):
        return _of_list(spec, "dataset.classes"), "dataset.classes"
    raise UserError(
        f"dataset.classes={spec}: expected a list of names, the path of a file, or names with commas between"
    )


def _existing(spec: str, root: Path) -> Path:
    file = next((place for place in (Path(spec), root / spec) if place.is_file()), None)
    if file is None:
        raise UserError(f"dataset.classes={spec}: there is no such file here, nor in {root}")
    return file


def _of_text(spec: str) -> list[Entry]:
    try:
        return _of_content(yaml.safe_load(spec), f"dataset.classes={spec}")
    except yaml.YAMLError as error:
        raise UserError(f"dataset.classes={spec} is no list ({' '.join(str(error).split())})") from error


def _of_file(file: Path) -> list[Entry]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".json":
            return _of_content(json.loads(text), str(file))
        if file.suffix.lower() in (".yaml", ".yml"):
            return _of_content(yaml.safe_load(text), str(file))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} is no readable class list ({' '.join(str(error).split())})") from error
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    cells = [_cells(line) if file.suffix.lower() == ".csv" and '"' in line else [line] for line in lines]
    return [_of_cells(row) for row in cells if any(row) and not HEADER.fullmatch(",".join(row))]


def _cells(line: str) -> list[str]:
    """Of a line with quotes, which may hold what else is between two cells."""
    delimiter = max(",;\t", key=line.count)
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _of_cells(cells: list[str]) -> Entry:
    """The cells may be names with blanks and commas in them; one cell is a line as it is."""
    if len(cells) == 1:
        return _of_line(cells[0])
    entry: Entry = {"id": int(cells.pop(0))} if cells[0].isdigit() else {}
    entry["name"] = cells.pop(0)
    if len(cells) == 3 and all(cell.isdigit() for cell in cells):
        entry["color"] = [int(cell) for cell in cells]
    return entry


def _of_line(line: str) -> Entry:
    match = LINE.fullmatch(line)
    assert match is not None  # any line that is not empty is at least a name
    entry: Entry = {"name": match["name"]}
    if match["id"]:
        entry["id"] = int(match["id"])
    if match["color"]:
        entry["color"] = [int(channel) for channel in re.findall(r"\d+", match["color"])]
    return entry


def _of_content(content: Any, place: str) -> list[Entry]:
    inner = next((content[key] for key in LISTS if key in content), content) if isinstance(content, dict) else content
    if isinstance(inner, dict) and all(str(key).isdigit() for key in inner):
        return [{"id": int(key), "name": str(name)} for key, name in inner.items()]
    if isinstance(inner, list):
        return _of_list(inner, place)
    raise UserError(f"{place} holds no class list: expected a list, or {{id: name}}, there or under classes or names")


def _of_list(rows: Iterable[Any], place: str) -> list[Entry]:
    wrong = [row for row in rows if not (isinstance(row, str) or (isinstance(row, Mapping) and "name" in row))]
    if wrong:
        raise UserError(f"{wrong[0]} in {place}: expected {{name: road, color: [128, 64, 128]}} or a name")
    return [{"name": row} if isinstance(row, str) else _of_mapping(row) for row in rows]


def _of_mapping(row: Mapping[str, Any]) -> Entry:
    number = row.get("id")
    return {**row, "id": int(number)} if isinstance(number, str) and number.isdigit() else dict(row)


def _by_id(entries: list[Entry], ignore_index: int, place: str) -> list[Entry]:
    """In the order of their ids, if they have some, without what is ignored."""
    ids = [entry.get("id") for entry in entries]
    if all(number is None for number in ids):
        return entries
    if not all(isinstance(number, int) for number in ids):
        raise UserError(f"{place} gives ids to some classes only: give each class one, or none")
    kept = sorted((entry for entry in entries if entry["id"] != ignore_index), key=lambda entry: int(entry["id"]))
    numbers = [entry["id"] for entry in kept]
    if numbers != list(range(len(kept))):
        raise UserError(
            f"{place} has the ids {', '.join(map(str, numbers))}: expected 0 to {len(kept) - 1} without gaps or repeats"
            "; dataset.remap says which class another number in the masks means"
        )
    return kept
