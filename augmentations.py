"""Look at what an augmentation makes of the training samples: python augmentations.py augmentation=driving"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="augmentations")
def main(cfg: DictConfig) -> None:
    from segmentation.apps.dataset.augmentations import draw_augmentations

    run_task(draw_augmentations, cfg)


if __name__ == "__main__":
    main()
