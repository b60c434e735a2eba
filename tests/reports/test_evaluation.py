import json

import numpy as np
import pytest

from segmentation.classes import Classes
from segmentation.reports.evaluation import evaluation_page, training_charts
from segmentation.reports.words import Words
from tests.reports.parsed import Parsed
from tests.reports.sample import CLASSES, evaluation_facts, history, picture


@pytest.fixture(scope="module")
def found() -> Parsed:
    return Parsed(evaluation_page(evaluation_facts()))


def titles(found: Parsed) -> list[str | None]:
    return [heading["id"] for heading in found.of("h2")]


def test_what_matters_most_comes_first(found: Parsed) -> None:
    assert titles(found) == [
        "scores",
        "classes",
        "confusion-matrix",
        "confusions-in-words",
        "boundaries",
        "calibration",
        "thresholds",
        "training",
        "worst-images",
        "best-images",
        "worst-images-by-class",
        "how-it-was-made",
    ]


def test_scores_are_told_with_their_intervals(found: Parsed) -> None:
    place = found.texts.index("pixel accuracy")
    assert found.texts[place : place + 3] == ["pixel accuracy", "0.901", "95 %: 0.893 to 0.909"]
    place = found.texts.index("Cohen's kappa")
    assert found.texts[place + 1] == "\N{EN DASH}"
    place = found.texts.index("standard deviation")
    assert found.texts[place + 1 : place + 4] == ["mIoU", "0.412", "0.081"]
    assert any(text.startswith("95 % intervals: 2,000 resamples") for text in found.texts)


def test_the_table_of_classes_has_all_scores_and_the_share_of_the_truth(found: Parsed) -> None:
    facts = evaluation_facts()
    place = found.texts.index("Scores by class")
    columns = [
        "class",
        "IoU",
        "Dice",
        "precision",
        "recall",
        "boundary IoU",
        "boundary F1",
        "95 % of IoU",
        "of the truth",
    ]
    assert found.texts[place + 1 : place + 10] == columns
    share = facts.confusion[0].sum() / facts.confusion.sum()
    values = [f"{facts.by_class[name][0]:.3f}" for name in ("IoU", "Dice", "precision", "recall")]
    row = found.texts[place + 10 : place + 19]
    assert row[:5] == ["sky", *values]
    assert row[-1] == f"{share:.1%}".replace("%", " %")
    assert "sortable" in [table.get("class") for table in found.of("table")]


def test_what_was_scored_is_called_by_its_name_and_areas_have_a_share() -> None:
    areas = list(range(len(CLASSES)))
    words = Words("mesh", "meshes", "face", "faces")
    page = evaluation_page(evaluation_facts(words=words, areas=areas, boundary=None, headline=[], over_images={}))
    found = Parsed(page)
    place = found.texts.index("95 % of IoU")
    assert found.texts[place + 1 : place + 3] == ["of the faces", "of the area"]
    place = found.texts.index("building", place)
    assert f"{100 / sum(areas):.1f} %" in found.texts[place : place + 9]
    assert {"worst-meshes", "best-meshes", "worst-meshes-by-class"} <= set(titles(found))
    assert "faces of sky were read right" in page
    assert "pixels of" not in page
    assert "pixel accuracy" not in page


def test_the_matrix_says_every_cell_in_words(found: Parsed) -> None:
    words = [cell["title"] for cell in found.of("td") if cell.get("title")]
    assert len(words) == len(CLASSES) ** 2
    counts = evaluation_facts().confusion
    assert (
        words[0]
        == f"{counts[0, 0]:,} pixels of sky were read right: {counts[0, 0] / counts[0].sum():.1%}".replace("%", " %")
        + " of sky"
    )


def test_every_picture_has_a_text_and_every_chart_a_name(found: Parsed) -> None:
    assert len(found.of("img")) == 3 + 3 + 2 + 1  # the last is what enlarged pictures are shown in
    assert all(image["alt"] for image in found.of("img")[:-1])
    assert all(chart["aria-label"] for chart in found.of("svg"))
    assert len(found.of("svg")) == 1 + 2 + 4


def test_what_was_not_measured_has_no_section() -> None:
    facts = evaluation_facts(boundary=None, calibration=None, binary=None, history=[], best=[], worst_by_class={})
    assert titles(Parsed(evaluation_page(facts))) == [
        "scores",
        "classes",
        "confusion-matrix",
        "confusions-in-words",
        "worst-images",
        "how-it-was-made",
    ]


def test_names_are_escaped_wherever_they_stand() -> None:
    name = '<b x="'
    classes = Classes((name, *CLASSES.names[1:]), CLASSES.colors)
    facts = evaluation_facts(
        classes=classes,
        title=name,
        command=name,
        environment={name: name},
        worst_by_class={name: [(name, np.zeros((9, 9, 3), np.uint8))]},
    )
    found = Parsed(evaluation_page(facts))
    assert not found.of("b")
    assert found.texts.count(name) >= 6


def test_one_class_no_pixels_and_no_history_make_a_page() -> None:
    facts = evaluation_facts(
        classes=Classes(("thing",), ((1, 2, 3),)),
        by_class={"IoU": [float("nan")]},
        iou_intervals=[],
        confusion=np.zeros((1, 1), np.int64),
        boundary=None,
        worst_by_class={},
        history=[{"epoch": 1, "lr": 0.0, "train/loss": None}],
    )
    assert "No class was taken for another." in Parsed(evaluation_page(facts)).texts


def test_the_page_of_many_classes_and_pictures_stays_under_10_mb() -> None:
    random = np.random.default_rng(0)
    names = tuple(f"class {number}" for number in range(19))
    classes = Classes(names, tuple((number, number, number) for number in range(19)))
    one = picture(random)
    shown = [("image", one)] * 12
    facts = evaluation_facts(
        classes=classes,
        by_class={"IoU": np.linspace(0, 1, 19)},
        iou_intervals=[None] * 19,
        confusion=random.integers(0, 10**7, (19, 19)),
        boundary=None,
        worst=shown,
        best=shown,
        worst_by_class=dict.fromkeys(names, shown[:3]),
    )
    html = evaluation_page(facts)
    assert 5e6 < len(html.encode()) < 10e6


def test_training_charts_go_through_the_epochs_that_have_a_value() -> None:
    rows = json.loads(json.dumps(history(6)))
    loss, miou, accuracy, rate = training_charts(rows, epoch=4, place="pixel").charts
    assert [chart.title for chart in (loss, miou, accuracy, rate)] == [
        "loss",
        "mIoU",
        "pixel accuracy",
        "learning rate (head)",
    ]
    train, val = miou.lines
    assert [x for x, _ in train.points] == [1, 2, 3, 4, 5, 6]
    assert [x for x, y in val.points if not np.isnan(y)] == [4, 6]
    assert loss.marks == [(4.0, "epoch 4, scored here")]
