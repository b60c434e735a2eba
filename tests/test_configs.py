"""Every configuration that is shipped composes, builds, and takes a step."""

import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from segmentation.apps.config.check import check_config, faults_in
from segmentation.apps.config.rules import RULES
from segmentation.apps.training.train import train
from segmentation.build.make import make
from segmentation.errors import UserError
from segmentation.runtime.files import read_json
from segmentation.runtime.run_folder import RunFolder
from tests.conftest import ROOT, SMALL, Compose
from tests.data.image.layouts.every import LAYOUTS
from tests.data.mesh.mesh_files import SMALL_RUN, write_boxes

GROUPS = ("model", "dataset", "optimizer", "scheduler", "loss", "trainer", "augmentation", "experiment")
FOR_MESHES = {  # with what else there is to choose
    "dataset=lod3": (),
    "dataset=mesh_folder": (),
    "augmentation=mesh": (),
    "model=nomeformer": (),
    "model=nomeformer_textured": ("dataset.texture_dir=textures",),
    "model=nomeformer_pretrain": ("loss=masked_prediction",),
    "loss=masked_prediction": ("model=nomeformer_pretrain",),
    "experiment=lod3_geometry": ("model=nomeformer", "loss.class_weights=none"),
    "experiment=lod3_textured": (
        *("model=nomeformer_textured", "dataset.texture_dir=textures"),
        "loss.parts.cross_entropy.class_weights=none",
    ),
    "experiment=nomeformer_pretrain": ("model=nomeformer_pretrain",),
}
SHIPPED = [f"{group}={path.stem}" for group in GROUPS for path in sorted((ROOT / "conf" / group).glob("*.yaml"))]
NEEDED = {  # what a choice does not go without
    "experiment=camvid_cpu": ("augmentation.crop.size=[32,64]",),
    "experiment=camvid_scratch": ("augmentation.crop.size=[32,64]",),
    "experiment=david_deeplabv3plus": ("model.encoder_weights=null",),
    "loss=mask_classification": ("model=eomt",),
    "model=own": ("model.network._target_=tests.models.image.own_network.OwnNetwork",),
}
MESHES = ("dataset=lod3",)
LAID_OUT = {"experiment=camvid_cpu": "camvid", "experiment=camvid_scratch": "camvid"}  # recipes for one layout


@pytest.fixture
def shipped(small: Compose, composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """`shipped("loss=dice")`: that choice on the tiny data set, a `dataset=NAME` on one in its own layout."""
    monkeypatch.setenv("DATASET_PATH", str(tmp_path / "data"))
    monkeypatch.setenv("CLASS_NAMES", "background,crack,stain")

    def make(choice: str, *overrides: str) -> DictConfig:
        if choice in FOR_MESHES:
            chosen = (choice, *FOR_MESHES[choice])
            groups = {override.split("=")[0] for override in chosen}
            usual = ("dataset=mesh_folder", "model=nomeformer")
            others = (override for override in usual if override.split("=")[0] not in groups)
            root = f"dataset.root={write_boxes(tmp_path / 'data')}"
            return composed(*others, *chosen, root, *SMALL_RUN, *overrides)
        write = LAYOUTS.get(LAID_OUT.get(choice, choice.removeprefix("dataset=")))
        if write is None:
            return small(choice, *NEEDED.get(choice, ()), *overrides)
        own = () if choice.startswith("dataset=") else (choice, *NEEDED.get(choice, ()))
        return composed(*write(tmp_path / "data"), *SMALL, *own, *overrides)

    return make


@pytest.mark.parametrize("choice", SHIPPED)
def test_a_shipped_configuration_takes_a_step(choice: str, shipped: Compose, tmp_path: Path) -> None:
    cfg = shipped(choice, "trainer.max_steps=1")
    folder = RunFolder(tmp_path / "run")
    train(cfg, folder.path)
    row = read_json(folder.history)[0]
    assert row["step"] == 1
    assert math.isfinite(row["train/loss"])
    assert 0 <= row["val/mIoU"] <= 1
    assert folder.checkpoint("last").is_file()


@pytest.mark.parametrize("choice", SHIPPED)
def test_a_shipped_configuration_has_no_faults(choice: str, shipped: Compose) -> None:
    assert faults_in(shipped(choice)) == []


def test_rules_speak_of_options_that_exist(composed: Compose) -> None:
    known = set().union(*(paths_in(OmegaConf.to_container(composed(choice))) for choice in SHIPPED))
    assert RULES.keys() <= known


def paths_in(node: Any, path: str = "") -> set[str]:
    if not isinstance(node, dict):
        return {path}
    return {path}.union(*(paths_in(value, f"{path}.{key}".lstrip(".")) for key, value in node.items()))


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("trainer.epochs=-1", "trainer.epochs=-1"),
        ("trainer.epochs=many", "trainer.epochs=many"),
        ("trainer.precision=fp8", "trainer.precision=fp8"),
        ("trainer.monitor=val/mIuO", "val/mIoU"),
        ("trainer.monitor=val/IoU/bicycle", "val/IoU/bicycle"),
        ("trainer.early_stopping.monitor=test/mIoU", "test/mIoU"),
        ("trainer.early_stopping.patience=0", "patience=0"),
        ("trainer.average_start=1.5", "average_start=1.5"),
        ("trainer.device=tpu", "trainer.device=tpu"),
        ("trainer.batch_size=0", "batch_size=0"),
        ("trainer.ema_decay=1.0", "ema_decay=1.0"),
        ("optimizer.lr=-0.1", "optimizer.lr=-0.1"),
        ("optimizer.layer_decay=1.2", "layer_decay=1.2"),
        ("trainer.batch_size=many", "at least 1, or auto"),
        ("trainer={batch_size:auto,multi_scale:{range:[0.5,1.5]}}", "batch_size=auto: it needs batches of one size"),
        ("trainer={find_lr:true,resume:auto}", "trainer.resume does not go with it"),
        ("trainer.find_lr=maybe", "trainer.find_lr=maybe"),
        ("trainer.gradient_clip_mode=agc", "norm, value or adaptive"),
        (
            "trainer={gradient_clip_mode:value,gradient_clip_val:null}",
            "it needs a number for trainer.gradient_clip_val",
        ),
        ("trainer={gradient_clip_mode:adaptive,gradient_clip_val:1.0}", "0.01 to 0.1 is usual"),
        ("model.activation=rleu", "model.activation=rleu: expected relu, leaky_relu"),
        ("model.activation_in_encoder=1", "model.activation_in_encoder=1: expected true or false"),
        ("model.activation_in_encoder=true", "it needs model.activation"),
        ("model.checkpoint=5", "model.checkpoint=5: expected a checkpoint"),
        ("model.checkpoint={encoder:5}", "expected a checkpoint or the folder of a run, {PART: ONE OF THEM"),
        ("model.trainable=head", "model.trainable=head: expected a list of names"),
        ("model.trainable=[head,3]", 'model.trainable=["head", 3]'),
        ("model.gradient_checkpointing=yes please", "model.gradient_checkpointing=yes please"),
        ("trainer.freeze_encoder_epochs=0.5", "freeze_encoder_epochs=0.5"),
        ("optimizer.groups={pattern:head}", "optimizer.groups={"),
        ("optimizer.groups=[{lr:0.1}]", "expected a list of {pattern: NAME"),
        ("optimizer.groups=[{pattern:head,lr:0.1,lr_multiplier:2}]", "lr or lr_multiplier"),
        ("optimizer.groups=[{pattern:head,decay:0.1}]", "optimizer.groups=[{"),
        ("scheduler.warmup=1.5", "scheduler.warmup=1.5"),
        ("scheduler.warmup=-2", "or a whole number of epochs"),
        ("loss.class_weights=sqrt", "loss.class_weights=sqrt"),
        ("dataset.split.train=1.2", "dataset.split.train=1.2"),
        ("dataset.split={train:0.8,val:0.5}", "1.4"),
        ("dataset.split.test=-3", "dataset.split.test=-3"),
        ("dataset.image_size=[256]", "image_size=[256]"),
        ("dataset.ignore_index=300", "ignore_index=300"),
        ("trainer.monitor=val/loss", "trainer.monitor_mode=min"),
        ("scheduler.min_factor=-1", "scheduler.min_factor=-1"),
        ("trainer.early_stopping=null", "trainer.early_stopping"),
        ("+trainer.epoch=3", "did you mean epochs?"),
        ("+optimizer.learning_rate=1", "optimizer.learning_rate"),
        ("+dataset.labls=x", "did you mean labels?"),
        ("+extra=1", "extra: there is no such key"),
        ("augmentation.transforms=[{HorizontalFlip:{q:1}}]", "augmentation.transforms[0].HorizontalFlip.q"),
        (
            "augmentation.val=[VerticalFlip,HorizontalFlop]",
            "val[1]: HorizontalFlop is no transform; did you mean Horiz",
        ),
        ("augmentation.strength=-1", "augmentation.strength=-1"),
        ("augmentation.strength=strong", "augmentation.strength=strong"),
        ("augmentation.ignore_index=0", "augmentation.ignore_index=0: expected dataset.ignore_index"),
        ("augmentation.crop.size=[256]", "augmentation.crop.size=[256]"),
        ("augmentation.crop.rare_probability=0.5", "it needs augmentation.crop.size"),
        (
            "augmentation.crop.size=[32,600]",
            "augmentation.crop.size=[32, 600]: larger than dataset.image_size=[512, 512]",
        ),
        ("+augmentation.crop.sizes=1", "did you mean size?"),
        ("augmentation.mixing=mosaic", "augmentation.mixing=mosaic"),
        ("augmentation.mixing.cutmix=2", "augmentation.mixing.cutmix=2"),
        ("+augmentation.mixing.cutmixx=1", "did you mean cutmix?"),
        ("augmentation.rare_classes=pole", "augmentation.rare_classes=pole"),
        ("augmentation.rare_classes=[pol]", "there is no class pol; did you mean pole?"),
        ("trainer.sampling=balanced", "trainer.sampling=balanced"),
        ("trainer.batch_by_size=true", "give dataset.image_size=null"),
        ("trainer.batch_pixels=100000", "it needs trainer.batch_by_size=true"),
        ("trainer.multi_scale.range=[0.5]", "trainer.multi_scale.range=[0.5]"),
        ("trainer.multi_scale.range=[1.5,0.5]", "the smaller first"),
        ("trainer.multi_scale.sizes=[[100,128]]", "multiples of 32"),
        ("trainer.multi_scale={every:3,range:[0.5,1],sizes:[[32,32]]}", "leave one at null"),
        ("trainer.multi_scale.every=0", "trainer.multi_scale.every=0"),
        ("dataset.cache=tape", "dataset.cache=tape: expected none, ram or disk"),
        ("dataset.cache_gb=0", "dataset.cache_gb=0"),
        ("trainer.max_bad_samples=-1", "trainer.max_bad_samples=-1"),
        ("trainer.device_augmentation=2", "trainer.device_augmentation=2"),
        ("model._target_=segmentation.models.nothing", "segmentation.models.nothing"),
        ("dataset.split_seed=-1", "dataset.split_seed=-1"),
        ("dataset.split=null", "dataset.split=null"),
        ("dataset.split={train:null,val:null}", "train and val are null"),
        ("dataset.split.train=[{a:1}]", 'dataset.split.train=[{"a": 1}]'),
        ("dataset.split.val=[[a]]", 'dataset.split.val=[["a"]]'),
        ("dataset.in_channels=0", "dataset.in_channels=0"),
        ("dataset.root=???", "dataset.root is needed"),
        ("model.mean=[1,2]", "model.mean=[1, 2]"),
        ("model.std=[1,0,1]", "model.std=[1, 0, 1]"),
        ("model.architecture=Unett", "model.architecture=Unett"),
        ("model.encoder_name=resnet81", "did you mean resnet18?"),
        ("model.encoder_name=tu-resnet81", "did you mean tu-resnet18?"),
        ("model.encoder_name=null", "model.encoder_name=None"),
        ("+model.decoder_chanels=8", "model.decoder_chanels: there is no such key; did you mean decoder_channels?"),
        ("+model.classes=4", "model.classes: there is no such key"),
        ("~model._target_", "model is missing or has no _target_"),
        ("optimizer.lr=.inf", "optimizer.lr"),
        ("optimizer.betas=[0.9]", "optimizer.betas=[0.9]"),
        ("optimizer.betas=[0.9,0.99,0.9]", "optimizer.betas=[0.9, 0.99, 0.9]"),
        ("optimizer.betas=[0.9,1.0]", "optimizer.betas=[0.9, 1.0]"),
        ("optimizer.betas=[0.9,0.9,0.9,0.9]", "two numbers from 0 to below 1, or three"),
        ("loss.ignore_index=0", "loss.ignore_index=0: expected dataset.ignore_index, which is 255"),
        ("loss.class_weights=[1,2]", "loss.class_weights=[1, 2]"),
        ("loss.class_weights=[a,b,c,d,e,f,g,h,i,j,k,l,m]", "one for each class (13)"),
        ("loss.class_weights=[0,0,0,0,0,0,0,0,0,0,0,0,0]", "loss.class_weights=[0"),
    ],
)
def test_an_impossible_value_is_told(override: str, fault: str, composed: Compose) -> None:
    faults = faults_in(composed("dataset=david", override))
    assert len(faults) == 1
    assert fault in faults[0]
    assert "\n" not in faults[0]


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("loss.parts.cross_entropy.label_smoothing=1.5", "loss.parts.cross_entropy.label_smoothing=1.5"),
        ("loss.parts.cross_entropy.class_weights=foo", "loss.parts.cross_entropy.class_weights=foo"),
        ("loss.parts.cross_entropy.class_weights=[1]", "one for each class (13)"),
        ("loss.parts.dice.ignore_index=0", "loss.parts.dice.ignore_index=0"),
        ("loss.parts.dice.smooth=0", "loss.parts.dice.smooth=0"),
        ("+loss.parts.dice.smoth=1", "did you mean smooth?"),
        ("loss.weights.dice=-1", "loss.weights="),
        ("~loss.weights.dice", "for each of cross_entropy, dice"),
        ("loss.weights.dice={from:1.0}", "loss.weights="),
        ("loss.weights.dice={from:1.0,to:0.0,end:2.0}", "shares of training"),
    ],
)
def test_what_is_wrong_within_a_combined_loss_is_told(override: str, fault: str, composed: Compose) -> None:
    faults = faults_in(composed("loss=combined", override))
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("model.queries=0", "model.queries=0"),
        ("model.query_blocks=1.5", "model.query_blocks=1.5"),
        ("model=unet", "loss._target_=segmentation.losses.mask_classification.MaskClassification: it needs a model"),
    ],
)
def test_masks_are_learned_from_queries(model: str, fault: str, composed: Compose) -> None:
    choice = ("model=eomt", "loss=mask_classification")
    assert faults_in(composed(*choice)) == []
    (told,) = faults_in(composed(*choice, model))
    assert fault in told


def test_masks_may_be_a_part_of_the_loss_and_those_of_an_own_network(composed: Compose) -> None:
    part = "loss@loss.loss=mask_classification"
    (told,) = faults_in(composed("loss=auxiliary", part))
    assert told.startswith("loss.loss._target_=")
    own = ("model=own", "model.network._target_=tests.models.image.own_network.OwnNetwork")
    assert faults_in(composed("loss=auxiliary", part, *own)) == []


def test_an_auxiliary_head_needs_a_weight(composed: Compose) -> None:
    head = ("model=fcn_resnet50", "model.auxiliary_head=true")
    assert faults_in(composed(*head, "loss=auxiliary", "+loss.weights.aux=0.4")) == []
    for loss in ("cross_entropy", "combined", "auxiliary"):
        (told,) = faults_in(composed(*head, f"loss={loss}"))
        assert told.endswith("give loss=auxiliary +loss.weights.aux=0.4")


def test_adan_has_three_betas(composed: Compose) -> None:
    adan = (
        "optimizer=adam",
        "optimizer._target_=timm.optim.Adan",
        "~optimizer.fused",
        "optimizer.betas=[0.98,0.92,0.99]",
    )
    assert faults_in(composed(*adan)) == []


def test_weights_are_a_number_for_each_class_that_is_learnt(composed: Compose) -> None:
    weights = "loss.class_weights=[0,1,1,1,1,1,1,1,1,1,1,2.5]"
    assert faults_in(composed(weights, "dataset.ignore_void=true")) == []
    assert len(faults_in(composed(weights))) == 1


@pytest.mark.parametrize("encoder", ["tu-convnext_atto", "tu-resnet18.a1_in1k", "timm-regnetx_002", "mit_b0"])
def test_encoders_of_any_source_are_known(encoder: str, composed: Compose) -> None:
    assert faults_in(composed(f"model.encoder_name={encoder}")) == []


def test_options_that_are_for_an_encoder_of_timm_are_let_through(composed: Compose) -> None:
    timm = "model.encoder_name=tu-resnet18"
    assert faults_in(composed(timm, "+model.drop_path_rate=0.1")) == []
    assert len(faults_in(composed("+model.drop_path_rate=0.1"))) == 1
    assert len(faults_in(composed(timm, "+model.decoder_chanels=8"))) == 1


def test_images_of_more_bands_need_as_many_means(composed: Compose) -> None:
    told = faults_in(composed("dataset.in_channels=4"))
    assert [fault.split("=")[0] for fault in told] == ["dataset.mean", "dataset.std"]  # the model takes them over
    assert faults_in(composed("model.mean=[0.5]")) == [
        "model.mean=[0.5]: expected numbers from 0 to 1, one for each band (3)"
    ]
    bands = ("dataset.mean=[0.5,0.5,0.5,0.5]", "dataset.std=[0.2,0.2,0.2,0.2]")
    assert faults_in(composed("dataset.in_channels=4", *bands)) == []


def test_transforms_for_colours_are_refused_where_there_are_other_bands(composed: Compose) -> None:
    one = ("dataset.in_channels=1", "dataset.mean=[0.5]", "dataset.std=[0.2]")
    five = ("dataset.in_channels=5", "dataset.mean=[0.5,0.5,0.5,0.5,0.5]", "dataset.std=[0.2,0.2,0.2,0.2,0.2]")
    for preset in ("none", "light", "aerial"):
        assert faults_in(composed(*one, f"augmentation={preset}")) == []
        assert faults_in(composed(*five, f"augmentation={preset}")) == []
    colors = "augmentation.transforms=[HorizontalFlip,HueSaturationValue,ToSepia]"
    (fault,) = faults_in(composed(*five, colors))
    told = "HueSaturationValue, ToSepia cannot be applied to images of dataset.in_channels=5"
    assert fault.startswith(f"augmentation.transforms: {told}")
    (fault,) = faults_in(composed(*five, "augmentation.val=[ToSepia]"))
    assert fault.startswith("augmentation.val: ToSepia cannot be applied")
    assert faults_in(composed(colors)) == []
    on_device = "trainer.device_augmentation=true"
    assert faults_in(composed(*five, on_device, "augmentation.transforms=[ColorJitter]")) == []


def test_sizes_of_batches_come_from_one_place(composed: Compose) -> None:
    by_size, as_stored = "trainer.batch_by_size=true", "dataset.image_size=null"
    crop, scale = "augmentation.crop.size=[64,64]", "trainer.multi_scale.range=[0.5,1.5]"
    assert faults_in(composed(by_size, as_stored)) == []
    assert faults_in(composed(by_size, as_stored, "trainer.batch_pixels=100000")) == []
    assert faults_in(composed(crop, as_stored, scale)) == []
    assert "give augmentation.crop.size=null" in faults_in(composed(by_size, as_stored, crop))[0]
    assert "does not go with it" in faults_in(composed(by_size, as_stored, scale))[0]
    assert "give one" in faults_in(composed(as_stored, scale))[0]


def test_what_the_device_cannot_augment_is_refused(composed: Compose) -> None:
    on_device = "trainer.device_augmentation=true"
    for preset in ("none", "light", "strong", "aerial", "defects"):
        assert faults_in(composed(on_device, f"augmentation={preset}")) == []
    (fault,) = faults_in(composed(on_device, "augmentation=driving"))
    assert fault.startswith(f"{on_device}: the device does not know RandomShadow, MotionBlur, ImageCompression; ")
    (fault,) = faults_in(composed(on_device, "augmentation.transforms=[Blurr]"))  # told once, by the list's own check
    assert "Blurr is no transform" in fault


def test_the_monitor_may_be_a_class_unless_it_is_ignored(composed: Compose) -> None:
    monitor = "trainer.monitor=val/IoU/void"
    assert faults_in(composed("dataset=david", monitor)) == []
    assert len(faults_in(composed("dataset=david", monitor, "dataset.ignore_void=true"))) == 1


@pytest.mark.parametrize(
    ("loss", "override"),
    [
        ("tversky", "loss.alpha=-1"),
        ("tversky", "loss.beta=-1"),
        ("tversky", "loss.per_image=1"),
        ("focal", "loss.gamma=-1"),
        ("bce", "loss.pos_weight=0"),
        ("bce", "loss.pos_weight=[1,2]"),
        ("ohem", "loss.threshold=0"),
        ("ohem", "loss.min_kept=100000"),
        ("boundary", "loss.tolerance=0.5"),
        ("rmi", "loss.radius=1"),
        ("rmi", "loss.stride=0"),
        ("auxiliary", "+loss.weights.aux=-1"),
    ],
)
def test_what_is_wrong_within_a_loss_is_told(loss: str, override: str, composed: Compose) -> None:
    faults = faults_in(composed(f"loss={loss}", override))
    assert len(faults) == 1
    assert override.removeprefix("+").split("=")[0].removesuffix(".aux") in faults[0]


def test_a_loss_takes_other_losses_for_its_parts_on_the_command_line(composed: Compose) -> None:
    other = ("loss=auxiliary", "loss@loss.loss=combined", "loss@loss.loss.parts.dice=jaccard", "+loss.weights.aux=0.4")
    more = ("+loss@loss.loss.parts.lovasz=lovasz", "+loss.loss.weights.lovasz={from:0.0,to:1.0}")
    for part in ("val/loss/dice", "val/loss/lovasz", "train/loss/aux"):
        assert faults_in(composed(*other, *more, f"trainer.monitor={part}", "trainer.monitor_mode=min")) == []
    assert len(faults_in(composed(*other, "trainer.monitor=val/loss/aux", "trainer.monitor_mode=min"))) == 1
    assert type(make(composed(*other, *more).loss.loss.parts.dice)).__name__ == "Jaccard"


def test_the_monitor_may_be_a_class_that_is_named_alone(composed: Compose) -> None:
    data = ("dataset=folder", "dataset.root=data", "dataset.classes=[road,car]")
    assert faults_in(composed(*data, "trainer.monitor=val/IoU/car")) == []
    (fault,) = faults_in(composed(*data, "trainer.monitor=val/IoU/cat"))
    assert "did you mean val/IoU/car?" in fault


@pytest.mark.parametrize("name", ["nomeformer", "nomeformer_textured"])
def test_models_for_meshes_have_no_faults(name: str, composed: Compose) -> None:
    assert faults_in(composed(f"model={name}", *MESHES)) == []


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("encoder.heads=3", "model.encoder.heads=3: expected a number that divides width=128"),
        ("encoder.heads=0", "model.encoder.heads=0: expected a whole number of at least 1"),
        ("encoder.blocks=[both,golbal]", "model.encoder.blocks names golbal: did you mean global?"),
        ("encoder.scales=[]", "model.encoder.scales=[]: expected a list of numbers above 0"),
        ("fusion=sum", "model.fusion=sum: known are gated, concat, add"),
        ("num_unfrozen_texture_layers=-1", "model.num_unfrozen_texture_layers=-1: expected a whole number"),
    ],
)
def test_what_a_model_for_meshes_cannot_be_is_told(override: str, says: str, composed: Compose) -> None:
    faults = faults_in(composed("model=nomeformer_textured", *MESHES, f"model.{override}"))
    assert any(fault.startswith(says) for fault in faults), faults


def test_pre_training_goes_with_its_loss(composed: Compose) -> None:
    pretrain, loss = "model=nomeformer_pretrain", "loss=masked_prediction"
    assert faults_in(composed(pretrain, loss, *MESHES)) == []
    (fault,) = faults_in(composed(pretrain, "loss=dice", *MESHES))
    assert fault.endswith("nothing would be learned, it needs loss=masked_prediction")
    (fault,) = faults_in(composed("model=nomeformer", loss, *MESHES))
    assert fault.endswith("it needs a model that predicts what is hidden, model=nomeformer_pretrain")


def test_a_variable_that_is_not_set_is_named(composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASET_PATH", "data")
    monkeypatch.delenv("CLASS_NAMES", raising=False)
    (fault,) = faults_in(composed("dataset=env"))
    assert fault.startswith("dataset.classes: CLASS_NAMES is not set: put CLASS_NAMES=... into a file .env")


@pytest.mark.parametrize(
    ("override", "fault"),
    [("threshold=bright", "dataset.threshold=bright"), ("threshold=0", "above 0"), ("remap=[1]", "dataset.remap=[1]")],
)
def test_what_is_wrong_with_masks_as_pictures_is_told(override: str, fault: str, composed: Compose) -> None:
    faults = faults_in(composed("dataset=folder", "dataset.root=data", f"dataset.{override}"))
    assert len(faults) == 1
    assert fault in faults[0]


def test_the_parts_of_a_combined_loss_can_be_monitored(composed: Compose) -> None:
    assert faults_in(composed("loss=combined", "trainer.monitor=val/loss/dice", "trainer.monitor_mode=min")) == []


def test_all_faults_are_told_at_once(composed: Compose) -> None:
    with pytest.raises(UserError) as error:
        check_config(composed("trainer.epochs=-1", "trainer.precision=fp8", "+model.foo=1", "+loss.gamma=2"))
    for fault in ("4 faults", "trainer.epochs=-1", "trainer.precision=fp8", "model.foo", "loss.gamma"):
        assert fault in str(error.value)


def test_a_single_fault_is_one_line(composed: Compose) -> None:
    with pytest.raises(UserError) as error:
        check_config(composed("trainer.epochs=-1"))
    assert str(error.value) == "trainer.epochs=-1: expected a whole number of at least 1"


def test_an_option_that_the_architecture_does_not_have_is_refused(composed: Compose) -> None:
    with pytest.raises(UserError, match="decoder_chanels"):
        make(composed("+model.decoder_chanels=8").model, num_classes=2)
