"""python -m segmentation.apps.models [PATTERN]: what models and encoders there are."""

import logging
import sys
from pathlib import Path

from segmentation.errors import UserError, near
from segmentation.models.image.encoders import EncoderFacts, encoders_like, facts_of, family_of
from segmentation.runtime.console import ConsoleHandler, progress_bar, table_text

log = logging.getLogger("segmentation")
ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- written by make contract -->", "<!-- end -->"  # around the table of what is known to work


def tell_models() -> str:
    """A table of the files of conf/model: what they are and what is known to work with them."""
    support = read_support(SUPPORT.read_text(encoding="utf-8"))
    columns = next(iter(support.values()), {}).keys()
    files = sorted((ROOT / "conf" / "model").glob("*.yaml"))
    rows = [[path.stem, _title(path), *support.get(path.stem, dict.fromkeys(columns, "")).values()] for path in files]
    return table_text("architectures: model=NAME", ["model", "what", *columns], rows)


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(" (")[0].split(": ")[0]


def read_support(page: str) -> dict[str, dict[str, str]]:
    """The table of `page` that `make contract` writes: of each row's name, its cells by their columns."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    if not lines:
        return {}
    header, _, *rows = lines
    return {name: dict(zip(header[1:], cells, strict=True)) for name, *cells in rows}


def tell_encoders(pattern: str) -> str:
    """A table of the encoders that match. Raises `UserError` where none does."""
    names = encoders_like(pattern)
    if not names:
        hint = near(pattern, encoders_like(family_of(pattern)), "tu-* are timm")
        raise UserError(f"{pattern}: no encoder has such a name; {hint}")
    rows = []
    with progress_bar("encoders", len(names)) as bar:
        for name in names:
            rows.append(_row(facts_of(name)))
            bar.advance()
    header = ["encoder", "parameters", "strides", "weights"]
    return table_text("encoders: model.encoder_name=NAME; tu-* are timm's", header, rows)


def _row(encoder: EncoderFacts) -> list[str]:
    weights = ", ".join(f"{name}{' (here)' if here else ''}" for name, here in encoder.weights.items())
    strides = ", ".join(map(str, encoder.strides))
    return [encoder.name, f"{encoder.parameters / 1e6:.1f} M", strides, weights or "none"]


def main(arguments: list[str]) -> None:
    log.addHandler(ConsoleHandler())
    log.setLevel(logging.INFO)
    try:
        log.info("%s\n", tell_models())
        for pattern in arguments or ["*"]:
            log.info("%s\n", tell_encoders(pattern))
    except UserError as error:
        log.error("error: %s", error)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
