"""Score a checkpoint of a run: python evaluate.py run=outputs/default/2026-01-31_12-00-00 split=test"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(cfg: DictConfig) -> float:
    from segmentation.apps.evaluation.benchmark import benchmark_run
    from segmentation.apps.evaluation.evaluate import evaluate_run

    value: float = run_task(benchmark_run if cfg.benchmark is True else evaluate_run, cfg)
    return value


if __name__ == "__main__":
    main()
