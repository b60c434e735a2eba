import pytest
import torch
from torch import Tensor, nn

from segmentation.models.mesh.blocks import KINDS, Attention, Block, Layer

WIDTH, HEADS = 8, 2


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    attention, reference = Attention(WIDTH, HEADS), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    parts = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        reference.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    reference.out_proj.load_state_dict(attention.out.state_dict())
    tokens, seen = torch.randn(3, 6, WIDTH), torch.rand(3, 6) < 0.6
    seen[:, 0] = True
    expected, _ = reference(tokens, tokens, tokens, key_padding_mask=~seen, need_weights=False)
    torch.testing.assert_close(attention(tokens, seen), expected)


def test_a_layer_adds_to_what_it_is_given() -> None:
    """With nothing learned by its last maps it changes nothing; with one of them it adds that."""
    layer = Layer(WIDTH, HEADS, 2.0, dropout=0.0)
    for last in (layer.attention.out, layer.feed_forward[2]):
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    tokens, seen = torch.randn(2, 3, WIDTH), torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(layer(tokens, seen), tokens)
    nn.init.ones_(layer.feed_forward[2].bias)  # type: ignore[arg-type]
    torch.testing.assert_close(layer(tokens, seen), tokens + 1)


def given(kind: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """How much of the first cluster's change, made to a face and to its summary, each cluster gets, in a block."""
    torch.manual_seed(0)
    block = Block(kind, WIDTH, HEADS, 2.0, dropout=0.0)
    faces, summaries, mask = torch.randn(1, 3, 4, WIDTH), torch.randn(1, 3, WIDTH), torch.ones(1, 3, 4).bool()
    changed = faces.clone()
    changed[0, 0, 0] += torch.randn(WIDTH)
    other = summaries.clone()
    other[0, 0] += torch.randn(WIDTH)
    before = block(faces, summaries, mask)
    return tuple(
        (after - expected).abs().flatten(2).amax(dim=2)[0]
        for with_change in (block(changed, summaries, mask), block(faces, other, mask))
        for after, expected in zip(with_change, before, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_reaches_whom_in_one_block(kind: str) -> None:
    of_face, of_face_summaries, of_summary, of_summary_summaries = (change > 1e-4 for change in given(kind))
    own, every = [True, False, False], [True, True, True]
    if kind == "global":  # a face by itself tells its cluster nothing
        assert of_face.tolist() == own
        assert of_face_summaries.tolist() == [False] * 3
        assert of_summary.tolist() == every
        assert of_summary_summaries.tolist() == every
    else:
        reached = every if kind == "both" else own
        for change in (of_face, of_face_summaries, of_summary, of_summary_summaries):
            assert change.tolist() == reached
