"""Memory for time: what a block computes is thrown away and computed again in the backward pass.

Chen et al. 2016, arXiv 1604.06174.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from segmentation.errors import UserError


def checkpoint_blocks(model: nn.Module) -> int:
    """Make every repeated block of `model` recompute itself while training; returns how many there are.

    A block is a module that has siblings of its class in a list or a sequence, as in the stages of a ResNet and the
    layers of a transformer; what lies within one is not looked at. Raises `UserError` where there is none.
    """
    blocks = list(_repeated(model))
    for block in blocks:
        block.__class__ = _checkpointed(type(block))
    if not blocks:
        raise UserError("model.gradient_checkpointing=true: the network has no repeated blocks; give false")
    return len(blocks)


def _repeated(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    kinds = Counter(type(child) for child in children) if isinstance(module, nn.Sequential | nn.ModuleList) else {}
    for child in children:
        if kinds.get(type(child), 0) > 1 and any(True for _ in child.children()):
            yield child
        else:
            yield from _repeated(child)


def _checkpointed(kind: type[nn.Module]) -> type[nn.Module]:
    """The class with another `forward`: names of weights, copies and `isinstance` stay as they are."""

    def forward(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        run = partial(kind.forward, self)
        if not (self.training and torch.is_grad_enabled()):
            return run(*inputs, **named)
        if torch.compiler.is_compiling():  # the compiler takes no contexts, and keeps statistics by itself
            return checkpoint(run, *inputs, use_reentrant=False, **named)
        return checkpoint(
            run, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _keeping_statistics(self)), **named
        )

    return type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})


@contextmanager
def _keeping_statistics(block: nn.Module) -> Iterator[None]:
    """Batch norms have learned from the batch already: with a momentum of 0 they learn nothing more."""
    norms = [module for module in block.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    counters = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
    counts = [counter.clone() for counter in counters]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for counter, count in zip(counters, counts, strict=True):
            counter.copy_(count)
