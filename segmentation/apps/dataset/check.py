"""Look at every sample of a data set and tell all that is wrong with it, before it costs a run."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from segmentation.apps.config.check import faults_in_check
from segmentation.apps.config.faults import raise_faults
from segmentation.apps.dataset.kinds import kind_of
from segmentation.apps.dataset.new_split import make_splits, refuse_existing, refuse_manifest, save_splits
from segmentation.apps.dataset.page import check_page, share_tables
from segmentation.apps.describe import refuse_faults, tell_findings
from segmentation.build.data import build_source, build_split
from segmentation.build.sets import Parts, Source
from segmentation.data.check.findings import Example, Finding, Severity, faults_among
from segmentation.data.check.parts import part_findings
from segmentation.data.faults import Noted, files_of, noting_faults
from segmentation.data.splits import assign
from segmentation.errors import UserError
from segmentation.runtime.files import write_text

log = logging.getLogger("segmentation")


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
    raise_faults(faults_in_check(cfg))
    refuse_existing(cfg)
    source, findings = readable(cfg.dataset)
    refuse_manifest(cfg, source)
    seen = kind_of(source).look_at_all(source, cfg.dataset)
    if cfg.write_split:
        splits = make_splits(cfg, seen)
        parts: Parts = assign(source.samples, splits[0])
    else:
        parts, split_findings = parts_now(cfg.dataset, source)
        findings += split_findings
    findings += part_findings(source.samples, parts)
    findings += seen.findings(parts)

    log.info("data: %s", source.title)
    for table in share_tables(seen, parts):
        log.info("%s", table)
    tell_findings(findings)
    if cfg.report:
        write_text(Path(cfg.report), check_page(seen, parts, findings))
        log.info("report: %s", cfg.report)
    if cfg.write_split:
        save_splits(cfg, source, splits)
    return findings


def readable(dataset: DictConfig) -> tuple[Source, list[Finding]]:
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


def parts_now(dataset: DictConfig, source: Source) -> tuple[Parts, list[Finding]]:
    """As training would split the data; nothing is written. All samples are `unsplit` where it cannot be split so."""
    try:
        return build_split(dataset, source), []
    except UserError as error:
        title, *lines = str(error).splitlines()
        examples = tuple(Example(line.strip(" -")) for line in lines)
        return {"unsplit": list(source.samples)}, [Finding("split", Severity.FAULT, title, examples)]


def check_before_training(cfg: DictConfig, source: Source, parts: Parts, resumes: bool) -> None:
    """As trainer.check_data says; not of a run that `resumes`, of which it was done. Raises `UserError` with all faults
    together.
    """
    how = "off" if resumes else cfg.trainer.check_data
    if how == "quick":
        refuse_faults(source, kind_of(source).look_quickly(cfg, source, parts))
    elif how == "full":
        refuse_faults(source, kind_of(source).look_at_all(source, cfg.dataset).findings(parts))
