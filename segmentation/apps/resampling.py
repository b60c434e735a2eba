"""How intervals were found, in words, and what they do not say."""

from collections.abc import Sequence

from segmentation.metrics.bootstrap import Resamples

FEW_GROUPS = 4  # so many or fewer say little about others: their intervals are far too narrow for that


def resampling(groups: Sequence[str], resamples: Resamples, samples: str) -> str:
    """`groups` `[N]` are those of the `samples`, as images or meshes are called: a video, a recording, a specimen, or
    the sample itself.
    """
    number = len(set(groups))
    told = f"intervals: {len(resamples.weights)} resamples of {len(groups)} {samples}"
    if number == len(groups):
        return told
    blocks = f"single {samples}" if resamples.length == 1 else f"blocks of {resamples.length} neighbouring {samples}"
    told += f" by {blocks} of {number} video{'s' if number > 1 else ''} or other group{'s' if number > 1 else ''}"
    if number <= FEW_GROUPS:
        return f"{told}; so few say little about others, which the intervals do not hold"
    return told
