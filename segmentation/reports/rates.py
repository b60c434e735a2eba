"""Learning rates as pictures: what a schedule gives each group, and what a range test saw."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from segmentation.reports.figure import pyplot, save_figure


def draw_schedule(rates: Mapping[str, Sequence[float]], steps_per_epoch: int, title: str, path: Path) -> None:
    """The rate of each group at each step, head and decoder in black; epochs are told along the top."""
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    colours = plt.colormaps["viridis"]
    for axis, scale in zip(axes, ("linear", "log"), strict=True):
        for place, (name, values) in enumerate(rates.items()):
            last = place == len(rates) - 1
            axis.plot(values, label=name, color="black" if last else colours(place / len(rates)), linewidth=1.5)
        axis.set(xlabel="step", ylabel="learning rate", yscale=scale)
        axis.grid(alpha=0.25)
        epochs = axis.secondary_xaxis(
            "top", functions=(lambda step: step / steps_per_epoch, lambda epoch: epoch * steps_per_epoch)
        )
        epochs.set_xlabel("epoch")
    axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(title)
    save_figure(figure, path)


def draw_range_test(
    lrs: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[tuple[float, float]],
    suggestion: float | None,
    path: Path,
) -> None:
    """The loss against the rate, as seen and smoothed; the suggestion is marked."""
    figure, axis = pyplot().subplots(figsize=(6, 4), layout="constrained")
    axis.plot(lrs, losses, color="tab:blue", alpha=0.3, label="loss of each step")
    if smoothed:
        axis.plot(*zip(*smoothed, strict=True), color="tab:blue", label="smoothed")
        values = [loss for _, loss in smoothed]
        low, start = min(values), values[0]
        axis.set_ylim(low - 0.1 * (start - low) - 0.02 * abs(low), start + 0.6 * (start - low) + 0.1 * abs(start))
    if suggestion is not None:
        axis.axvline(suggestion, color="black", linestyle="--", label=f"suggestion {suggestion:.1e}")
    axis.set(xlabel="optimizer.lr", ylabel="loss", xscale="log")
    axis.grid(alpha=0.25)
    axis.legend(frameon=False)
    save_figure(figure, path)
