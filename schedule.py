"""Look at the learning rates of a run before it is spent: python schedule.py scheduler=one_cycle trainer.epochs=80"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="schedule")
def main(cfg: DictConfig) -> None:
    from segmentation.apps.training.schedule import draw_rates

    run_task(draw_rates, cfg)


if __name__ == "__main__":
    main()
