"""Areas as GeoJSON (RFC 7946): for maps, and for programs that draw."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from segmentation.classes import Classes
from segmentation.data.image.georeference import MapPlace
from segmentation.data.image.results.polygons import Area
from segmentation.runtime.files import write_json

WGS84 = 4326


def write_geojson(path: Path, areas: Iterable[Area], classes: Classes, place: MapPlace | None = None) -> None:
    """A feature for each area, with its class, its pixels and, where it is known, its mean confidence.

    Coordinates are the map's, of the system that `crs` names (the RFC knows longitude and latitude alone; GDAL and QGIS
    read others from there), or pixels: x to the right, y down, (0, 0) the first pixel's outer corner. Outlines turn to
    the left and holes to the right in these coordinates as the RFC has it, y taken to go up.
    """
    collection: dict[str, Any] = {"type": "FeatureCollection"}
    if place is not None and place.epsg not in (None, WGS84):
        collection["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{place.epsg}"}}
    collection["features"] = [_feature(area, classes, place) for area in areas]
    write_json(path, collection, indent=None)


def _feature(area: Area, classes: Classes, place: MapPlace | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"class": classes.names[area.class_id], "id": area.class_id, "pixels": area.pixels}
    if area.confidence is not None:
        properties["confidence"] = round(area.confidence, 4)
    placed = [ring if place is None else place.of(ring) for ring in area.rings]
    rings = [_closed(ring, to_the_left=number == 0) for number, ring in enumerate(placed)]
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}}


def _closed(ring: np.ndarray, to_the_left: bool) -> list[list[float]]:
    """With the first point again at its end."""
    x, y = (ring - ring[0]).T  # of a map they are so large that their products would be rounded
    turns_left = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) > 0
    turned = ring if turns_left == to_the_left else ring[::-1]
    return [*turned.tolist(), turned[0].tolist()]
