"""Look at every image and mask of a data set and tell all that is wrong with it, before it costs a run."""

import logging
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from segmentation.apps.config.check import faults_in_check, refuse_meshes
from segmentation.apps.config.faults import raise_faults
from segmentation.apps.dataset.new_split import make_splits, refuse_existing, refuse_manifest, save_splits
from segmentation.apps.dataset.page import check_page, share_table
from segmentation.apps.describe import count_pixels, refuse_faults, scan_and_tell, tell_findings
from segmentation.build.class_weights import asks_for_counts
from segmentation.build.data import build_source, build_split, sample_keys
from segmentation.build.images import image_size
from segmentation.build.sets import Parts
from segmentation.data.check.findings import Example, Finding, Severity, faults_among
from segmentation.data.check.parts import part_findings
from segmentation.data.faults import Noted, files_of, noting_faults
from segmentation.data.image.check.duplicates import duplicate_findings
from segmentation.data.image.check.images import ImageScan, image_findings, scan_images
from segmentation.data.image.check.masks import mask_findings
from segmentation.data.image.check.sizes import size_findings
from segmentation.data.image.check.videos import video_findings
from segmentation.data.image.files import Size
from segmentation.data.image.scan import MaskScan
from segmentation.data.image.source import ImageSource
from segmentation.data.splits import assign
from segmentation.errors import UserError
from segmentation.runtime.console import progress_bar, table_text
from segmentation.runtime.files import write_text

log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class Scans:
    """What was seen of all samples of a data set."""

    masks: MaskScan
    images: ImageScan


def check(cfg: DictConfig) -> None:
    """Tell what is wrong, write the report, and the new split if one is asked for.

    Raises `UserError` in the end where something would spoil a run.
    """
    findings = look_for_faults(cfg)
    faults = faults_among(findings)
    if faults:
        raise UserError(f"{len(faults)} of {len(findings)} findings would spoil a run: mend the data first")
    log.info("nothing was found that would spoil a run")


def look_for_faults(cfg: DictConfig) -> list[Finding]:
    """What `check` tells and writes."""
    refuse_meshes(cfg)
    raise_faults(faults_in_check(cfg))
    refuse_existing(cfg)
    source, findings = readable(cfg.dataset)
    refuse_manifest(cfg, source)
    scans = scan_all(source)
    if cfg.write_split:
        splits = make_splits(cfg, source, scans.masks, scans.images)
        parts: Parts = assign(source.samples, splits[0])
    else:
        parts, split_findings = parts_now(cfg.dataset, source)
        findings += split_findings
    findings += part_findings(source.samples, parts)
    findings += findings_in(source, parts, scans, image_size(cfg.dataset))

    log.info("data: %s", source.title)
    log.info("%s", table_text("shares of the labelled pixels", *share_table(source, parts, scans.masks)))
    tell_findings(findings)
    if cfg.report:
        write_text(Path(cfg.report), check_page(source, parts, scans.masks, findings))
        log.info("report: %s", cfg.report)
    if cfg.write_split:
        save_splits(cfg, source, splits)
    return findings


def readable(dataset: DictConfig) -> tuple[ImageSource, list[Finding]]:
    """The samples whose files are in order, and what the reader says of the others."""
    with noting_faults() as noted:
        try:
            source = build_source(dataset)
        except UserError:
            tell_findings(_of_reader(noted))
            raise
    return source, _of_reader(noted)


def _of_reader(noted: Noted) -> list[Finding]:
    return [
        Finding("files", Severity.FAULT, title, tuple(Example(str(fault), (), files_of(fault)) for fault in faults))
        for title, faults in noted
    ]


def parts_now(dataset: DictConfig, source: ImageSource) -> tuple[Parts, list[Finding]]:
    """As training would split the data; nothing is written. All samples are `unsplit` where it cannot be split so."""
    try:
        return build_split(dataset, source), []
    except UserError as error:
        title, *lines = str(error).splitlines()
        examples = tuple(Example(line.strip(" -")) for line in lines)
        return {"unsplit": list(source.samples)}, [Finding("split", Severity.FAULT, title, examples)]


def scan_all(source: ImageSource) -> Scans:
    """Every image and mask, read once; from the cache where the files are as they were."""
    masks = count_pixels(source)
    with progress_bar("reading the images", len(source.samples)) as bar:
        images = scan_images(source, bar.advance)
    return Scans(masks, images)


def findings_in(source: ImageSource, parts: Parts, scans: Scans, wanted: Size | None) -> list[Finding]:
    """`wanted` is the (height, width) that images are resized to."""
    return [
        *image_findings(scans.images),
        *mask_findings(source, scans.masks, sample_keys(parts)),
        *size_findings(scans.images, scans.masks, wanted),
        *duplicate_findings(scans.images, parts),
        *video_findings(scans.images, parts),
    ]


def check_before_training(cfg: DictConfig, source: ImageSource, parts: Parts, resumes: bool) -> MaskScan | None:
    """As trainer.check_data says, of a run that `resumes` no more than its losses and sampling ask for; None where the
    masks were not read.

    Raises `UserError` with all faults together.
    """
    how = "off" if resumes else cfg.trainer.check_data
    if how == "quick":
        return scan_and_tell(source, parts)
    if how == "full":
        scans = scan_all(source)
        findings = findings_in(source, parts, scans, image_size(cfg.dataset))
        refuse_faults(source, findings)
        return scans.masks
    return count_pixels(source) if asks_for_counts(cfg) else None
