"""Compare evaluated runs: python compare.py runs=[outputs/default/A,outputs/default/B]"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="compare")
def main(cfg: DictConfig) -> None:
    from segmentation.apps.comparison.compare import compare

    run_task(compare, cfg)


if __name__ == "__main__":
    main()
