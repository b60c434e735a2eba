"""What networks for meshes take.

Shapes, here and in all of this folder: B meshes, N clusters, F faces in a cluster, D numbers of a face, K pixels of its
texture, W the width of the network, C classes.
"""

from typing import Protocol

from torch import Tensor


class MeshInputs(Protocol):
    """`features` `[B, N, F, D]` float32; `mask` `[B, N, F]` bool, true where there is a face; `centres` `[B, N, 3]`
    float32, of the clusters, in m; `pixels` `[B, N, F, K, 3]` uint8 and `pixel_counts` `[B, N, F]`, how many of the K
    mean something, 0 for a face without a texture. The latter two are None where the data gives no textures. What is
    where there is no face is never looked at.
    """

    @property
    def features(self) -> Tensor: ...
    @property
    def mask(self) -> Tensor: ...
    @property
    def centres(self) -> Tensor: ...
    @property
    def pixels(self) -> Tensor | None: ...
    @property
    def pixel_counts(self) -> Tensor | None: ...
