"""New splits of a data set, as files."""

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from segmentation.apps.dataset.kinds import kind_of
from segmentation.apps.dataset.seen import Seen
from segmentation.build.sets import Source
from segmentation.data.image.layouts.manifest import write_manifest
from segmentation.data.splits import Deal, Split, assign, in_order, split_folds, split_groups, write_split
from segmentation.data.stratify import holdings, stratified
from segmentation.errors import UserError

MANIFEST = ".csv"
log = logging.getLogger("segmentation")


def make_splits(cfg: DictConfig, seen: Seen) -> list[Split]:
    """One split in the shares of dataset.split, or one for each of `cfg.folds`, by `cfg.split_method`.

    Samples of the same content are in one part; where that takes some out of their groups, keys are listed.
    """
    samples = seen.source.samples
    shares: dict[str, Any] = OmegaConf.to_container(cfg.dataset.split)  # type: ignore[assignment]
    seed = int(cfg.dataset.split_seed)
    names = [sample.key if cfg.split_method == "random" else sample.group for sample in samples]
    fixed = {name for share in shares.values() if isinstance(share, list) for name in share}
    groups = _with_copies(names, [sample.key for sample in samples], seen.contents(), fixed)
    deal: Deal = in_order
    if cfg.split_method == "stratified":
        deal = partial(stratified, held=holdings(groups, seen.counts))
    if cfg.folds is None:
        splits = [split_groups(groups, shares, seed, deal)]
    else:
        splits = split_folds(groups, cfg.folds, shares.get("test"), seed, deal)
    if groups == names:
        return splits
    keys: dict[str, list[str]] = {}
    for sample, group in zip(samples, groups, strict=True):
        keys.setdefault(group, []).append(sample.key)
    return [
        {part: [key for group in dealt for key in keys[group]] for part, dealt in split.items()} for split in splits
    ]


def _with_copies(
    groups: Sequence[str], keys: Sequence[str], contents: Mapping[str, bytes], fixed: Collection[str]
) -> list[str]:
    """Of each sample its group, or that of the first one of the same content; samples of `fixed` groups keep theirs."""
    first: dict[bytes, str] = {}
    return [
        group if key not in contents or group in fixed else first.setdefault(contents[key], group)
        for group, key in zip(groups, keys, strict=True)
    ]


def split_files(cfg: DictConfig) -> list[Path]:
    """`split.json`, or `split_fold0.json` and so on."""
    path = Path(cfg.write_split)
    if cfg.folds is None:
        return [path]
    return [path.with_name(f"{path.stem}_fold{fold}{path.suffix}") for fold in range(cfg.folds)]


def refuse_existing(cfg: DictConfig) -> None:
    """Before the work: a split that is there stays, unless dataset.force_resplit says otherwise."""
    existing = [str(path) for path in split_files(cfg) if path.exists()] if cfg.write_split else []
    if existing and not cfg.dataset.force_resplit:
        raise UserError(
            f"write_split: {existing[0]} exists; name another file, or overwrite it with dataset.force_resplit=true"
        )


def refuse_manifest(cfg: DictConfig, source: Source) -> None:
    """Before the work: of masks that are painted, frames of a video file, or meshes there are no files to list."""
    can_be_listed = kind_of(source).can_be_listed
    if cfg.write_split and Path(cfg.write_split).suffix.lower() == MANIFEST and not can_be_listed(source.samples):
        raise UserError(
            f"write_split={cfg.write_split}: this data has no image and mask file for each sample; give a .json"
        )


def save_splits(cfg: DictConfig, source: Source, splits: Sequence[Split]) -> None:
    for path, split in zip(split_files(cfg), splits, strict=True):
        parts = assign(source.samples, split)
        if path.suffix.lower() == MANIFEST:
            write_manifest(path, parts)
        else:
            write_split(path, split)
        log.info("%s: %s", path, ", ".join(f"{len(samples)} {part}" for part, samples in parts.items()))
