"""Datasets, triggers, training, evaluation, reports."""

import json
import logging
import math

import numpy as np
import pytest
from conftest import COLOURS, striped_image

import cleanclip

SHORT = dict(epochs=2, batch_size=8, warmup_steps=2, learning_rate=1e-3, precision="f32")


@pytest.fixture
def folder(pairs, tmp_path):
    """A csv file with labels, made of a set whose single poison is ignored."""
    cleanclip.poison(pairs, "sig", tmp_path / "set.csv", target="red", count=1, image_size=32)
    rows = [f"set-images/{i:07}.png,{i % 4}" for i in range(32)]
    (tmp_path / "test.csv").write_text("image,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "classes.txt").write_text("\n".join(COLOURS) + "\n")
    (tmp_path / "templates.txt").write_text("a {} box\nan image of a {} box\n")
    return tmp_path


def test_datasets_of_pairs_and_files(pairs, folder):
    assert len(cleanclip.Dataset.from_pairs(pairs)) == 32
    assert len(cleanclip.Dataset(folder / "set.csv")) == 32
    assert len(cleanclip.Dataset([folder / "set.csv", folder / "set.csv"])) == 64
    with pytest.raises(FileNotFoundError, match="no column 'photo'"):
        cleanclip.Dataset(folder / "set.csv", image_column="photo")
    with pytest.raises(FileNotFoundError):
        cleanclip.Dataset("no/such/*.tar")


def test_datasets_tell_what_they_leave_out(pairs, tmp_path, caplog):
    folder = tmp_path / "images"
    (folder / "dog").mkdir(parents=True)
    cleanclip.poison(pairs, "sig", tmp_path / "set.csv", target="red", count=1, image_size=32)
    for index in range(3):
        content = (tmp_path / f"set-images/{index:07}.png").read_bytes()
        (folder / f"dog/{index}.png").write_bytes(content)
    (folder / "dog/9.gif").write_bytes(b"GIF89a")
    (folder / "dog/8.txt").write_text("of nothing")
    dataset = cleanclip.Dataset(folder)
    told = dataset.describe()
    assert told["rows"] == len(dataset) == 3
    assert told["class_folders"] == ["dog"] and told["has_labels"] and not told["has_captions"]
    assert {name: entry["count"] for name, entry in told["left_out"].items()} == {
        "images_of_other_formats": 1, "captions_without_image": 1}
    assert sum("left out" in record.getMessage() for record in caplog.records) == 2
    (tmp_path / "keep.txt").write_text("0\tdog/0.png\n2\tdog/2.png\n")
    assert len(cleanclip.Dataset(folder, keep=tmp_path / "keep.txt")) == 2
    (tmp_path / "keep.txt").write_text("0\tdog/1.png\n")
    with pytest.raises(cleanclip.InvalidArgumentError, match="is of other data"):
        cleanclip.Dataset(folder, keep=tmp_path / "keep.txt")


def test_sanitize_updates_the_model_and_returns_the_history(model, pairs):
    before = model.state_dict()
    heard = []
    history = cleanclip.sanitize(model, pairs, **SHORT, progress=heard.append)
    assert len(heard) == len(history) == 8
    assert [step.step for step in history.steps] == list(range(1, 9))
    assert all(math.isfinite(loss) for loss in history.losses)
    assert not np.array_equal(before["visual.conv1.weight"], model.state_dict()["visual.conv1.weight"])
    told = history.as_dict()
    assert told["settings"]["epochs"] == 2 and len(told["epochs"]) == 2


def test_the_same_seed_gives_the_same_weights(model, pairs):
    other = model.copy()
    cleanclip.sanitize(model, pairs, **SHORT, seed=5)
    cleanclip.sanitize(other, pairs, **SHORT, seed=5)
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(values, other.state_dict()[name], err_msg=name)


def test_sanitize_can_be_cancelled_and_resumed(model, pairs, tmp_path):
    whole, part = model.copy(), model.copy()
    cleanclip.sanitize(whole, pairs, **SHORT)
    with pytest.raises(cleanclip.CancelledError) as caught:
        cleanclip.sanitize(
            part, pairs, **SHORT, state_directory=tmp_path / "state", progress=lambda p: p.step < 3)
    assert len(caught.value.history) == 3
    cleanclip.sanitize(model, pairs, **SHORT, state_directory=tmp_path / "state", resume=True)
    for name, values in whole.state_dict().items():
        np.testing.assert_array_equal(values, model.state_dict()[name], err_msg=name)


def test_what_progress_raises_comes_out(model, pairs):
    def fail(progress):
        raise KeyboardInterrupt("mine")

    with pytest.raises(KeyboardInterrupt, match="mine"):
        cleanclip.sanitize(model, pairs, **SHORT, progress=fail)


def test_bad_rows_are_logged_and_skipped(model, pairs, caplog):
    pairs[7] = (b"this is no image", "a red box", 0)
    with caplog.at_level(logging.WARNING, logger="cleanclip"):
        history = cleanclip.sanitize(model, pairs, **SHORT)
    assert history.as_dict()["bad_rows"] == 1
    assert any("pair 7" in record.message for record in caplog.records)


def test_sanitize_checks_its_options(model, pairs):
    for options, text in [
        (dict(method="magic"), "method"),
        (dict(epochs=0), "epochs"),
        (dict(batch_size=33), "batch_size"),
        (dict(learning_rate=float("nan")), "learning_rate"),
        (dict(inmodal_weight=-1.0), "inmodal_weight"),
    ]:
        with pytest.raises(cleanclip.InvalidArgumentError, match=text):
            cleanclip.sanitize(model, pairs, **{**SHORT, **options})


def test_supervised(model, pairs, tmp_path):
    head = tmp_path / "head.safetensors"
    cleanclip.sanitize(model, pairs, method="supervised", **SHORT, head_path=head)
    assert head.stat().st_size > 16 * 4 * 4


@pytest.mark.parametrize(("method", "options"), [
    ("simclip", dict(attack_steps=2)),
    ("roclip", dict(match_every=1, pool_fraction=0.5)),
    ("safeclip", dict(epochs=3, inmodal_epochs=1, safe_probability=0.5)),
])
def test_methods_resume_bit_for_bit(model, pairs, tmp_path, method, options):
    options = {**SHORT, **options}
    whole, part = model.copy(), model.copy()
    history = cleanclip.sanitize(whole, pairs, method, **options)
    assert history.as_dict()["settings"]["method"] == method
    with pytest.raises(cleanclip.CancelledError):
        cleanclip.sanitize(
            part, pairs, method, **options, state_directory=tmp_path / "state",
            progress=lambda p: p.step < len(history) - 2)
    cleanclip.sanitize(
        model, pairs, method, **options, state_directory=tmp_path / "state", resume=True)
    for name, values in whole.state_dict().items():
        np.testing.assert_array_equal(values, model.state_dict()[name], err_msg=name)


def test_simclip_reads_images_alone(model, pairs):
    before = model.state_dict()
    cleanclip.sanitize(
        model, images=[image for image, *_ in pairs], method="simclip", **SHORT, attack_steps=1)
    for name, values in model.state_dict().items():
        if not name.startswith("visual."):
            np.testing.assert_array_equal(values, before[name], err_msg=name)
    assert not np.array_equal(before["visual.conv1.weight"], model.state_dict()["visual.conv1.weight"])


def test_safeclip_needs_epochs_for_its_phases(model, pairs):
    with pytest.raises(cleanclip.InvalidArgumentError, match="expected at least 7, with inmodal_epochs 5"):
        cleanclip.sanitize(model, pairs, "safeclip", **SHORT)


def test_evaluate(model, folder, pairs):
    names = list(COLOURS)
    from_files = cleanclip.evaluate(
        model, folder / "test.csv", folder / "classes.txt", folder / "templates.txt",
        trigger="badnets", target="blue")
    from_lists = cleanclip.evaluate(
        model, folder / "test.csv", names, ["a {} box", "an image of a {} box"],
        trigger=cleanclip.Trigger("badnets"), target=2)
    assert from_files == from_lists
    assert set(from_files) >= {"clean_accuracy", "attack_success_rate", "images", "attacked_images"}
    assert (from_files["images"], from_files["attacked_images"]) == (32, 24)
    clean = cleanclip.evaluate(model, folder / "test.csv", names)
    assert clean == cleanclip.evaluate(model, cleanclip.Dataset(folder / "test.csv"), names)
    assert cleanclip.evaluate(model, pairs, names)["images"] == 32
    assert "attack_success_rate" not in clean
    assert clean["clean_accuracy"]["top1"] <= clean["clean_accuracy"]["top3"]
    with pytest.raises(ValueError, match="target is missing"):
        cleanclip.evaluate(model, folder / "test.csv", names, trigger="badnets")
    with pytest.raises(cleanclip.CancelledError):
        cleanclip.evaluate(model, folder / "test.csv", names, progress=lambda done, total: False)


def test_retrieval(model, pairs, folder):
    # Captions of one image: those of one path in a table.
    rows = [f"set-images/{i % 8:07}.png,caption {i}" for i in range(16)]
    (folder / "captions.csv").write_text("image,caption\n" + "\n".join(rows) + "\n")
    found = cleanclip.evaluate_retrieval(model, folder / "captions.csv", batch_size=5)
    assert (found["images"], found["captions"], found["skipped_pairs"]) == (8, 16, 0)
    for direction in ("image_to_text", "text_to_image"):
        recall = found[direction]
        assert 0 <= recall["recall_at_1"] <= recall["recall_at_3"] <= recall["recall_at_5"] <= 1
    assert set(found["text_to_image"]) == {"recall_at_1", "recall_at_3", "recall_at_5"}
    assert set(found["image_to_text"]) == set(found["text_to_image"]) | {"recall_at_10"}
    with pytest.raises(cleanclip.CancelledError):
        cleanclip.evaluate_retrieval(model, pairs, progress=lambda done, total: False)
    with pytest.raises(cleanclip.InvalidArgumentError, match="batch_size is out of range"):
        cleanclip.evaluate_retrieval(model, pairs, batch_size=-1)


def test_triggers(model):
    images = np.stack([striped_image(i, (40, 44))[0] for i in range(3)])
    trigger = cleanclip.Trigger("badnets", patch_size=8, position="5,7", seed=1)
    triggered = trigger.apply(images)
    changed = (triggered != images).any(axis=(0, 3))
    assert changed[5:13, 7:15].any() and changed.sum() <= 64
    np.testing.assert_array_equal(trigger.apply(images[2], first_index=2), triggered[2])
    with pytest.raises(ValueError, match="expected uint8"):
        trigger.apply(images.astype(np.float32))
    with pytest.raises(cleanclip.ShapeError):
        cleanclip.Trigger("badnets", patch_size=64).apply(images)


def test_poison_writes_a_set_and_the_truth(pairs, tmp_path):
    poisoned = cleanclip.poison(
        pairs, "badnets", tmp_path / "set.tar", target="blue", rate=0.25, image_size=32,
        truth_path=tmp_path / "truth.csv", templates=["a very {} thing"])
    assert poisoned == 8
    lines = (tmp_path / "truth.csv").read_text().splitlines()
    assert lines[0].split(",")[:2] == ["key", "poisoned"]
    assert sum(line.split(",")[1] == "1" for line in lines[1:]) == 8
    assert len(cleanclip.Dataset(tmp_path / "set.tar")) == 32
    with pytest.raises(cleanclip.InvalidArgumentError):
        cleanclip.poison(pairs, "badnets", tmp_path / "set.zip", target="blue")


def test_reports(model, pairs, folder):
    before = cleanclip.evaluate(model, folder / "test.csv", list(COLOURS), trigger="badnets",
                                target="blue")
    history = cleanclip.sanitize(model, pairs, **SHORT)
    after = cleanclip.evaluate(model, folder / "test.csv", list(COLOURS), trigger="badnets",
                               target="blue")
    cleanclip.write_report(
        folder / "report.html", title="Trial", model=model, before=before, after=after,
        history=history)
    page = (folder / "report.html").read_text()
    assert "Trial" in page and page.rstrip().endswith("</html>")
    cleanclip.write_report(folder / "report.json", before=before)
    assert json.loads((folder / "report.json").read_text())["stages"]


def test_what_a_call_works_with_is_not_closed_by_its_progress(model, pairs):
    dataset = cleanclip.Dataset.from_pairs(pairs)

    def close(closed):
        def progress(*state):
            closed.close()
            return True
        return progress

    calls = {
        "Model": lambda progress: cleanclip.sanitize(model, dataset, progress=progress, **SHORT),
        "Dataset": lambda progress: cleanclip.evaluate_retrieval(model, dataset, progress=progress),
    }
    for name, call in calls.items():
        with pytest.raises(RuntimeError, match=f"{name}: is in use by a call; close it when"):
            call(close(model if name == "Model" else dataset))
    with pytest.raises(RuntimeError, match="Model: is in use"):
        cleanclip.check_model(model, nouns=False, steps=2, progress=close(model))
    # Both are as they were, and are closed afterwards.
    assert len(dataset) == len(pairs) and model.encode_text(["a box"]).shape == (1, 16)
    dataset.close()
    model.close()
    with pytest.raises(ValueError, match="used after close"):
        model.encode_text(["a box"])


def test_arguments_of_another_class_are_named(model, pairs):
    with pytest.raises(TypeError, match=r"triggers\[0\]: expected cleanclip.Trigger, got str"):
        cleanclip.sanitize(model, images=pairs, method="unlearn", triggers=["badnets"])
    with pytest.raises(TypeError, match="triggers: expected a list of cleanclip.Trigger, got str"):
        cleanclip.sanitize(model, images=pairs, method="unlearn", triggers="badnets")
    with pytest.raises(TypeError, match=r"references\[0\]: expected cleanclip.Model, got str"):
        cleanclip.check_model(model, references=["clip.onnx"])
    with pytest.raises(TypeError, match="model: expected cleanclip.Model, got str"):
        cleanclip.check_model("clip.onnx")
    with pytest.raises(TypeError, match="model: expected cleanclip.Model, got str"):
        cleanclip.evaluate("clip.onnx", pairs, ["red"])
    with pytest.raises(TypeError, match="tokenizer: expected cleanclip.Tokenizer, got str"):
        cleanclip.sanitize(model, pairs, tokenizer="vocab.json")
    with pytest.raises(TypeError, match="history: expected cleanclip.History, got dict"):
        cleanclip.write_report("x.html", history={})


def test_features_of_classes_need_classes(model, pairs):
    features = np.eye(4, 16, dtype=np.float32)
    for call in (
            lambda **given: cleanclip.check_model(model, nouns=False, **given),
            lambda **given: cleanclip.sanitize(model, images=pairs, method="unlearn", **given)):
        with pytest.raises(ValueError, match="class_features: have no effect without classes"):
            call(class_features=features)
        with pytest.raises(cleanclip.InvalidArgumentError, match=r"rows 0 \('a'\) and 1 \('b'\) are equal"):
            call(class_features=np.ones((4, 16), np.float32), classes=["a", "b", "c", "d"])
        with pytest.raises(cleanclip.InvalidArgumentError, match=r"row 0 \('a'\) is all zeros"):
            call(class_features=np.vstack([np.zeros((1, 16)), features[1:]]),
                 classes=["a", "b", "c", "d"])
