"""Train a model: python train.py model=unet dataset=david dataset.root=PATH optimizer.lr=1e-4"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


def task(cfg: DictConfig) -> float | None:
    from pathlib import Path

    from hydra.core.hydra_config import HydraConfig

    from segmentation.apps.training.train import train

    folder, here = Path(HydraConfig.get().runtime.output_dir), Path.cwd()
    return train(cfg, folder.relative_to(here) if folder.is_relative_to(here) else folder)


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float | None:
    """Returns the best monitored value, which is what a search optimises."""
    best: float | None = run_task(task, cfg)
    return best


if __name__ == "__main__":
    main()
