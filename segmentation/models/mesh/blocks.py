"""What a mesh transformer is made of: attention within each cluster, attention among the summaries of all clusters."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOCAL, GLOBAL, BOTH = "local", "global", "both"
KINDS = (LOCAL, GLOBAL, BOTH)


class Attention(nn.Module):
    """Multi-head self-attention over T tokens `[R, T, W]`; those that are not `seen` `[R, T]`, bool, nobody looks at.

    In each row at least one has to be seen.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        query, key, value = (
            part(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = attend(query, key, value, seen[:, None, None])
        return self.out(mixed.transpose(1, 2).flatten(-2))


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """On a CPU always in float32: the backward pass in bfloat16 takes it three times as long."""
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=seen)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen)


class Layer(nn.Module):
    """Attention, then a feed-forward network of `feed_forward` times the width: each is given its input normalised, and
    is added to it.
    """

    def __init__(self, width: int, heads: int, feed_forward: float, dropout: float) -> None:
        super().__init__()
        hidden = round(feed_forward * width)
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens), seen))
        return tokens + self.dropout(self.feed_forward(self.feed_forward_norm(tokens)))


class Block(nn.Module):
    """Faces `[B, N, F, W]` and the summaries of their clusters `[B, N, W]`, in and out; `mask` `[B, N, F]`.

    Of the kind `local` the faces of a cluster and its summary attend to each other, cluster by cluster, so that memory
    grows with their number and no faster. Of the kind `global` the summaries of a mesh attend to each other, those of
    padding left out, and what came of it is added to each face of the cluster: so it is after one block, and not only
    by the attention of a next one, that every face knows of all clusters. Of the kind `both` one follows the other.
    """

    def __init__(self, kind: str, width: int, heads: int, feed_forward: float, dropout: float) -> None:
        super().__init__()
        self.within = Layer(width, heads, feed_forward, dropout) if kind != GLOBAL else None
        self.among = Layer(width, heads, feed_forward, dropout) if kind != LOCAL else None
        self.tell = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width)) if kind != LOCAL else None

    def forward(self, faces: Tensor, summaries: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.within is not None:
            tokens = torch.cat([summaries.unsqueeze(2), faces], dim=2)
            seen = F.pad(mask, (1, 0), value=True)
            tokens = self.within(tokens.flatten(0, 1), seen.flatten(0, 1)).unflatten(0, mask.shape[:2])
            summaries, faces = tokens[:, :, 0], tokens[:, :, 1:]
        if self.among is not None and self.tell is not None:
            summaries = self.among(summaries, mask.any(dim=2))
            faces = faces + self.tell(summaries).unsqueeze(2)
        return faces, summaries
