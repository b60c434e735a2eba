"""evaluation/pareto.json: what was measured so far, a row for each way of running the model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from segmentation.apps.pareto.ways import Way
from segmentation.engine.cost import Cost
from segmentation.runtime.files import jsonable, read_json, write_json
from segmentation.runtime.run_folder import read_written

Row = dict[str, Any]


class Measured:
    """A row has a way, its cost, and the conditions under which it was measured. Rows of other conditions, such as
    another checkpoint, stay in the file and are not looked at.
    """

    def __init__(self, path: Path, conditions: Mapping[str, Any]) -> None:
        """Raises `UserError` for a file that is damaged."""
        self.path, self.conditions = path, dict(conditions)
        self.rows: list[Row] = read_written(path, _read_rows, "delete it to measure anew") if path.is_file() else []

    def has(self, way: Way) -> bool:
        wanted = {**way.row(), **self.conditions}
        return any(wanted.items() <= row.items() for row in self.rows)

    def add(self, way: Way, cost: Cost) -> None:
        """Written at once."""
        self.rows.append(jsonable({**way.row(), **asdict(cost), **self.conditions}))
        write_json(self.path, self.rows)

    def present(self) -> list[tuple[Way, Cost]]:
        """Those of these conditions."""
        return [(_way(row), _cost(row)) for row in self._present_rows()]

    def mark(self, efficient_in: Sequence[Sequence[str]]) -> None:
        """For each of `present`, in what it is efficient."""
        for row, marks in zip(self._present_rows(), efficient_in, strict=True):
            row["efficient_in"] = list(marks)
        write_json(self.path, self.rows)

    def _present_rows(self) -> list[Row]:
        return [row for row in self.rows if self.conditions.items() <= row.items()]


def _read_rows(path: Path) -> list[Row]:
    """Raises whatever a file makes it raise that has other rows."""
    rows: list[Row] = read_json(path)
    for row in rows:
        _way(row), _cost(row)
    return rows


def _way(row: Row) -> Way:
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(Way)}
    for name in ("size", "tile"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Way(**values)


def _cost(row: Row) -> Cost:
    values = {field.name: row[field.name] for field in fields(Cost)}
    return Cost(**{name: float("nan") if value is None else float(value) for name, value in values.items()})
