# make demo | test | lint | train | evaluate | predict | export | pareto | compare | report | check | bench | bench-data | bench-forest | bench-mesh | bench-metrics | bench-predict | soak | augmentations | schedule | tensorboard | clean
# Options: make train ARGS="model=unet dataset=david dataset.root=PATH", make evaluate RUN=outputs/default/DATE,
# make predict RUN=RUN INPUT=PATH OUTPUT=FOLDER,
# make report RUNS="outputs/default/*", make compare RUNS="outputs/default/A outputs/default/B"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
RUN ?= $(shell ls -td outputs/*/*/config.yaml outputs/*/*/*/config.yaml 2>/dev/null | head -1 | xargs -r dirname)
OUTPUT ?= outputs/predictions
DEMO_RUN := outputs/demo/$(shell date +%Y-%m-%d_%H-%M-%S)

.PHONY: demo install test lint train evaluate predict export pareto compare report check bench bench-data bench-forest bench-mesh bench-metrics bench-predict soak contract models augmentations schedule tensorboard clean

demo: $(VENV)/.installed  ## install, draw a small data set, train on it, evaluate, fail below the expected score
	$(BIN)/python train.py experiment=demo hydra.run.dir=$(DEMO_RUN)
	$(BIN)/python evaluate.py run=$(DEMO_RUN) min_mIoU=0.5
	@echo "curves:   $(DEMO_RUN)/curves.png"
	@echo "pictures: $(DEMO_RUN)/visualizations/"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version): make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e . -c constraints.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[dev]" -c constraints.txt
	@touch $@

test: $(VENV)/.installed-dev  ## the tests, under 12 minutes on two cores; each process has one thread, or they take the cores from each other
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not soak and not contract" $(ARGS)

soak: $(VENV)/.installed-dev  ## the tests that take minutes
	$(BIN)/python -m pytest -m soak $(ARGS)

contract: $(VENV)/.installed-dev  ## every model compiled and exported; writes the table in docs/models.md (ONNX: if onnxscript and onnxruntime are installed)
	SUPPORT_PAGE=docs/models.md $(BIN)/python -m pytest -m "contract or not contract" tests/models/image/test_contract.py $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

train: $(VENV)/.installed
	$(BIN)/python train.py $(ARGS)

evaluate: $(VENV)/.installed  ## of RUN, by default the newest
	$(BIN)/python evaluate.py run=$(RUN) $(ARGS)

predict: $(VENV)/.installed  ## masks by RUN, by default the newest: make predict INPUT=FILE|FOLDER|VIDEO|MESH OUTPUT=FOLDER ARGS="tile=[512,512]"
	$(BIN)/python predict.py run=$(RUN) "input=$(INPUT)" "output=$(OUTPUT)" $(ARGS)

export: $(VENV)/.installed-dev  ## RUN, by default the newest, as one proven file: make export RUN=RUN ARGS="format=onnx package=true"
	$(BIN)/python export.py run=$(RUN) $(ARGS)

pareto: $(VENV)/.installed-dev  ## sizes, tiles, TTA, precisions and backends of RUN against mIoU, time, memory: make pareto RUN=RUN ARGS="images=50"
	$(BIN)/python pareto.py run=$(RUN) $(ARGS)

compare: $(VENV)/.installed  ## evaluated runs, the first is the baseline: make compare RUNS="outputs/default/A outputs/default/B"
	$(BIN)/python compare.py "runs=[$(shell echo $(RUNS) | tr ' ' ,)]" $(ARGS)

report: $(VENV)/.installed  ## one page over many runs, or a sweep: make report RUNS="outputs/default/*" ARGS=output=FILE.html
	$(BIN)/python -m segmentation.apps.comparison.report $(RUNS) $(ARGS)

check: $(VENV)/.installed  ## of a data set: make check ARGS="dataset=david dataset.root=PATH"
	$(BIN)/python check.py $(ARGS)

bench: $(VENV)/.installed-dev  ## what the loop costs, and the time to the first step
	$(BIN)/python -m tests.bench.training

models: $(VENV)/.installed  ## architectures and encoders: make models ARGS="resnet*", ARGS="tu-convnext*"
	$(BIN)/python -m segmentation.apps.models $(ARGS)

bench-data: $(VENV)/.installed-dev  ## images/s of one loading process beside decoding and the usual way; memory of workers
	$(BIN)/python -m tests.bench.data

bench-forest: $(VENV)/.installed-dev  ## what a random forest makes of the faces of LOD3: make bench-forest RESULTS=RUN/evaluation/val.json
	$(BIN)/python -m tests.bench.forest $(RESULTS)

bench-mesh: $(VENV)/.installed-dev  ## meshes: features and clusters of 100,000 faces, loading beside building, waiting for data, memory of 150,000 faces
	$(BIN)/python -m tests.bench.meshes

bench-metrics: $(VENV)/.installed-dev  ## what the metric costs in an evaluation step, beside torchmetrics; the time of intervals
	$(BIN)/python -m tests.bench.metrics

bench-predict: $(VENV)/.installed-dev  ## images/s of predict.py beside the model alone: make bench-predict IMAGES=FOLDER (by default CamVid's val)
	$(BIN)/python -m tests.bench.prediction $(IMAGES)

augmentations: $(VENV)/.installed  ## a picture of 16 augmented training samples: make augmentations ARGS="augmentation=strong"
	$(BIN)/python augmentations.py $(ARGS)

schedule: $(VENV)/.installed  ## a picture of the learning rates: make schedule ARGS="scheduler=one_cycle trainer.epochs=80"
	$(BIN)/python schedule.py $(ARGS)

tensorboard: $(VENV)/.installed
	$(BIN)/tensorboard --logdir outputs

clean:  ## what can be made again: the environment, the drawn data, caches; not the runs
	rm -rf $(VENV) data/demo *.egg-info .mypy_cache .pytest_cache .ruff_cache
