"""What ways of running a model are worth and cost: python pareto.py run=outputs/default/2026-01-31_12-00-00"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="pareto")
def main(cfg: DictConfig) -> int:
    from segmentation.apps.pareto.pareto import pareto_run

    value: int = run_task(pareto_run, cfg)
    return value


if __name__ == "__main__":
    main()
