"""Meshes for predict.py: which there are, and what becomes of each."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from segmentation.apps.config.prediction import OF_IMAGES, image_options_given
from segmentation.apps.prediction.faces import Meshes, MeshMember
from segmentation.apps.prediction.output import OutputFolder, Row
from segmentation.apps.prediction.pipeline import overlapped
from segmentation.apps.prediction.progress import Progress
from segmentation.apps.prediction.runs import Runs
from segmentation.apps.prediction.summary import write_summary
from segmentation.build.make import plain
from segmentation.build.meshes import WORDS, face_features, preparation
from segmentation.data.mesh.inputs import Beside, GivenMeshes, find_meshes
from segmentation.errors import UserError
from segmentation.inference.options import post_processing
from segmentation.inference.postprocessing import PostProcessing
from segmentation.runtime.console import progress_bar

log = logging.getLogger("segmentation")


@dataclass(frozen=True)
class MeshTask:
    """A `Task`: the meshes that `cfg.input` names, by the `runs`. Their labels, if they have any, are not looked at."""

    cfg: DictConfig
    runs: Runs
    post: PostProcessing
    given: GivenMeshes

    @classmethod
    def of(cls, cfg: DictConfig, runs: Runs) -> "MeshTask":
        """Raises `UserError` for options that are of images, and where there is no mesh."""
        named = image_options_given(plain(cfg))
        if named:
            told = f"{', '.join(named)}: for images, and {runs.folders[0].path} is a run on meshes"
            raise UserError(f"{told}; leave {'them' if len(named) > 1 else 'it'} out")
        confidence = plain(cfg)["confidence"] if cfg.pseudo_labels else None
        post = post_processing({"confidence": confidence}, runs.classes)
        given = find_meshes(cfg.input, leave_out=Path(cfg.output))
        if given.passed_over:
            log.info("%d other files in %s are passed over", given.passed_over, cfg.input)
        return cls(cfg, runs, post, given)

    @property
    def identity(self) -> Mapping[str, str]:
        return self.runs.identity

    @property
    def keys(self) -> Sequence[str]:
        return [mesh.key for mesh in self.given.meshes]

    @property
    def unreadable(self) -> Sequence[str]:
        return self.given.unreadable

    @property
    def without_effect(self) -> Sequence[str]:
        return [*OF_IMAGES, *(() if self.cfg.pseudo_labels else ("confidence",))]

    def predict(self, folder: OutputFolder) -> list[str]:
        left, faults = folder.left(self.given.meshes), list[str]()
        if not left:
            return []
        device, precision = self.runs.device()
        models = zip(self.runs.models(device), self.runs.configs, strict=True)
        members = [
            MeshMember(model, _beside(run.dataset), preparation(run.dataset), face_features(run.dataset))
            for model, run in models
        ]
        way = Meshes(members, self.runs.classes, device, precision, self.post, folder.path, self.cfg.overlay)
        with progress_bar("predicting", len(left)) as bar:
            progress = Progress(bar, WORDS.samples)
            with closing(overlapped(left, way.read, way.ask, way.write, self.cfg.threads)) as rows:
                for _, row in rows:
                    folder.take(row, faults)
                    progress.advance()
        return faults

    def conclude(
        self, folder: OutputFolder, rows: Sequence[Row], about: Mapping[str, Any], faults: Sequence[str]
    ) -> None:
        if self.cfg.pseudo_labels:
            log.info("to train on them: dataset=mesh_folder dataset.root=%s", folder.path / "pseudo_labels")
        write_summary(folder, rows, self.runs.classes, about, faults, WORDS)


def _beside(dataset: DictConfig) -> Beside:
    """A reader of the user's own may have no such options."""
    return Beside(dataset.get("texture_dir"), dataset.get("json_dir"), tuple(dataset.get("json_features") or ()))
