"""What the contract test found to work, as a table in docs/models.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segmentation.apps.models import BEGIN, END


class Support:
    """Notes what passed; a row for each model, a column for each thing that not every model can."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}

    @contextmanager
    def noting(self, model: str, what: str) -> Iterator[None]:
        """What is done inside works unless it raises."""
        self.rows.setdefault(model, {})[what] = "no"
        yield
        self.rows[model][what] = "yes"

    def table(self) -> str:
        columns = sorted({what for row in self.rows.values() for what in row})
        lines = ["| model | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
        for model, row in sorted(self.rows.items()):
            lines.append(f"| {model} | " + " | ".join(row.get(column, "not tried") for column in columns) + " |")
        return "\n".join(lines)

    def write(self, page: Path) -> None:
        """Between the two markers of the page."""
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        _, after = rest.split(END)
        page.write_text(f"{before}{BEGIN}\n{self.table()}\n{END}{after}", encoding="utf-8")
