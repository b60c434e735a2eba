"""What samples are called, and the places in them that are scored."""

from typing import NamedTuple


class Words(NamedTuple):
    """One and several of each: image, images, pixel, pixels; or mesh, meshes, face, faces."""

    sample: str
    samples: str
    place: str
    places: str
