"""Classes of pictures, videos and meshes: python predict.py run=RUN input=PATH output=FOLDER"""

import hydra
from omegaconf import DictConfig

from segmentation.apps.command import one_line_errors, run_task


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf/predict", config_name="predict")
def main(cfg: DictConfig) -> None:
    from segmentation.apps.prediction.predict import predict

    run_task(predict, cfg)


if __name__ == "__main__":
    main()
