"""Look for faults in a data set before they cost a run: python check.py dataset=david dataset.root=PATH"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="check")
def main(cfg: DictConfig) -> None:
    from segmentation.apps.dataset.check import check

    run_task(check, cfg)


if __name__ == "__main__":
    main()
