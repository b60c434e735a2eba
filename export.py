"""Write the model of a run as one proven file: python export.py run=outputs/default/2026-01-31_12-00-00 format=onnx"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="export")
def main(cfg: DictConfig) -> float:
    from segmentation.apps.export.export import export_run

    value: float = run_task(export_run, cfg)
    return value


if __name__ == "__main__":
    main()
