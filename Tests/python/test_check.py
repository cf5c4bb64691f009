"""Poison checks of a model, of data, and of images."""

import hashlib
import json
import typing

import numpy as np
import pytest
from conftest import COLOURS, TINY, features_with_strangers, noise, striped_image

import cleanclip

SHORT = dict(image_limit=24, steps=3, batch_size=4, nouns=False)


def expect_fields(value, kind):
    """Check that JSON has the keys and types of a TypedDict, and those inside it."""
    if typing.get_origin(kind) is typing.Union:
        kind = next(inner for inner in typing.get_args(kind) if inner is not type(None))
        if value is None:
            return
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        assert set(value) <= set(hints) and set(value) >= kind.__required_keys__, kind
        for name in value:
            expect_fields(value[name], hints[name])
    elif typing.get_origin(kind) is list:
        for element in value:
            expect_fields(element, typing.get_args(kind)[0])
    elif typing.get_origin(kind) is dict:
        for element in value.values():
            expect_fields(element, typing.get_args(kind)[1])
    else:
        assert isinstance(value, (int, float) if kind is float else kind), (value, kind)


def test_results_have_the_types_that_are_declared(model, pairs):
    from cleanclip.check import DatasetCheckFields, ModelCheckFields

    images = [(image, caption) for image, caption, _ in pairs]
    found = cleanclip.check_model(
        model, images, classes=list(COLOURS), text=True, **{**SHORT, "steps": 12, "nouns": True})
    expect_fields(found.as_dict(), ModelCheckFields)
    assert found.p_value == found.as_dict()["p_value"]
    assert found.as_dict()["text_tower"] is not None
    features, strangers = features_with_strangers()
    data = cleanclip.check_data(
        None, None, image_features=features, trusted_features=(features, features[::-1]),
        captions=[f"a {'truck' if i in strangers else 'box'} number {i}" for i in range(300)])
    expect_fields(data.as_dict(), DatasetCheckFields)
    assert data.as_dict()["words"] and data.as_dict()["mixture"] is not None
    with pytest.raises(AssertionError):
        expect_fields({**data.as_dict(), "rows": "300"}, DatasetCheckFields)


def test_check_model_draws_images_without_any(model, tmp_path):
    heard = []
    result = cleanclip.check_model(model, **SHORT, progress=lambda done, of: heard.append((done, of)))
    assert result.as_dict()["verdict"] in ("clean", "suspicious", "backdoored", "cannot_tell")
    assert result.as_dict()["images"] == {
        "count": 24, "source": "synthetic", "unread": 0, "left_out": {}}
    assert [finding["kind"] for finding in result.as_dict()["findings"]] == [
        "patch",
        "additive",
        "warp",
        "sinusoid",
    ]
    assert result.as_dict()["text_tower"] is None
    assert heard[-1][0] <= heard[-1][1] == 12 * 4
    result.write(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Poison check of a checkpoint" in page and "<script" not in page
    result.write(tmp_path / "check.json")
    assert json.loads((tmp_path / "check.json").read_text()) == result.as_dict()


def test_a_check_says_which_file_it_was_of(model, tmp_path):
    path = tmp_path / "copy.safetensors"
    model.save(path)
    fields = cleanclip.check_model(cleanclip.load(path), **SHORT).as_dict()
    assert fields["files"][0]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert fields["calibration"]["within"] is False


def test_check_model_reads_targets_and_checks_the_text_tower(model, pairs):
    result = cleanclip.check_model(
        model, [(image, caption) for image, caption, _ in pairs], classes=list(COLOURS), text=True,
        **SHORT,
    )
    assert result.as_dict()["images"]["source"] == "given"
    for finding in result.as_dict()["findings"]:
        if finding["found"]:
            assert {entry["text"] for entry in finding["classes"]["targets"]} == set(COLOURS)
    tower = result.as_dict()["text_tower"]
    assert tower["verdict"] in ("clean", "suspicious", "backdoored")
    assert tower["word"] and 0 <= tower["size"] <= min(tower["reference"]["sizes"])
    assert {entry["text"] for entry in tower["targets"]} == set(COLOURS)


def test_check_model_searches_for_each_class(model, pairs):
    images = [(image, caption) for image, caption, _ in pairs]
    without = cleanclip.check_model(
        model, images, classes=list(COLOURS), class_searches=0, **SHORT)
    assert [finding["class"] for finding in without.as_dict()["findings"]] == [None] * 4
    assert without.as_dict()["settings"]["class_searches"] == 0
    result = cleanclip.check_model(model, images, classes=list(COLOURS), **SHORT)
    assert result.as_dict()["settings"]["class_searches"] == 10
    assert {finding["class"] for finding in result.as_dict()["findings"]} <= {None, *COLOURS}
    with pytest.raises(cleanclip.InvalidArgumentError, match="templates have no effect without"):
        cleanclip.check_model(model, images, templates=["a {}"], **SHORT)
    with pytest.raises(cleanclip.InvalidArgumentError, match="class_searches.*4 to 1000.*got 3"):
        cleanclip.check_model(model, classes=list(COLOURS), class_searches=3, **SHORT)


def test_a_cancelled_check_goes_on(model, tmp_path):
    whole = cleanclip.check_model(model, **SHORT)
    with pytest.raises(cleanclip.CancelledError):
        cleanclip.check_model(
            model, **SHORT, state_directory=tmp_path, progress=lambda done, of: done < 14
        )
    resumed = cleanclip.check_model(model, **SHORT, state_directory=tmp_path, resume=True)
    assert resumed.as_dict()["findings"] == whole.as_dict()["findings"]
    with pytest.raises(cleanclip.StateError, match="state of another check"):
        cleanclip.check_model(model, **{**SHORT, "steps": 4}, state_directory=tmp_path, resume=True)


def test_findings_are_typed_and_their_triggers_are_triggers(model, pairs, tmp_path):
    images = [(image, caption) for image, caption, _ in pairs]
    result = cleanclip.check_model(
        model, images, classes=list(COLOURS), text=True, **{**SHORT, "steps": 12})
    findings = result.findings
    assert findings[-1].kind == "word" and findings[-1].word == result.as_dict()["text_tower"]["word"]
    assert findings[-1].trigger is None
    assert len(findings) == len(result.as_dict()["findings"]) + 1
    recovered = 0
    for typed, plain in zip(findings, result.as_dict()["findings"]):
        assert (typed.kind, typed.target, typed.verdict) == (
            plain["kind"], plain["class"], plain["verdict"])
        assert typed.size == pytest.approx(plain["size"])
        assert typed.size_meaning == plain["size_meaning"]
        assert list(typed.reference_sizes) == pytest.approx(plain["reference"]["sizes"])
        assert typed.reference_source == plain["reference"]["source"]
        assert typed.p_value == plain["p_value"]
        assert (typed.trigger is not None) == plain["found"]
        if typed.trigger is None:
            assert typed.predicted_target is None and typed.attack_success_rate is None
            continue
        recovered += 1
        targets = plain["classes"]["targets"]
        assert typed.predicted_target == targets[0]["text"]
        assert typed.attack_success_rate == pytest.approx(plain["classes"]["success_rate"])
        path = tmp_path / f"{recovered}.safetensors"
        typed.trigger.save(path)
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        squares = np.arange(2 * 32 * 32 * 3).astype(np.uint8).reshape(2, 32, 32, 3)
        changed = typed.trigger.apply(squares)
        assert (changed != squares).any() or typed.size < 0.01
        np.testing.assert_array_equal(cleanclip.Trigger.load(path).apply(squares), changed)
    assert recovered > 0
    assert result.verdict == result.as_dict()["verdict"] and result.explanation == result.as_dict()["explanation"]


def test_recovered_triggers_are_evaluated_and_poisoned_with(model, pairs, tmp_path):
    images = [(image, caption) for image, caption, _ in pairs]
    result = cleanclip.check_model(model, images, **{**SHORT, "steps": 12})
    trigger = next(finding.trigger for finding in result.findings if finding.trigger)
    trigger.save(tmp_path / "found.safetensors")
    with pytest.raises(cleanclip.InvalidArgumentError, match="position has no effect"):
        cleanclip.Trigger(tmp_path / "found.safetensors", position="corners")
    poisoned = cleanclip.poison(
        images, tmp_path / "found.safetensors", tmp_path / "poisoned.tar", target="red",
        count=3, image_size=32)
    assert poisoned == 3
    with pytest.raises(cleanclip.ShapeError, match="recovered for images of another size"):
        cleanclip.poison(
            images, trigger, tmp_path / "other.tar", target="red", count=3, image_size=40)


def test_triggers_have_names():
    names = cleanclip.trigger_names()
    assert "badnets" in names and len(set(names)) == len(names)
    for name in names:
        assert cleanclip.Trigger(name).apply(np.zeros((16, 16, 3), np.uint8)).shape == (16, 16, 3)
    with pytest.raises(cleanclip.InvalidArgumentError, match="trigger blended: position has no"):
        cleanclip.Trigger("blended", position="random")


def test_references_are_compared_with(model, vocabulary):
    other = cleanclip.create(TINY, seed=2, tokenizer=vocabulary)
    result = cleanclip.check_model(model, references=[other], **SHORT)
    reference = result.as_dict()["findings"][0]["reference"]
    assert reference["source"] == "clean_checkpoints" and len(reference["sizes"]) == 1
    with pytest.raises(cleanclip.InvalidArgumentError, match="reference 1 is the checked model"):
        cleanclip.check_model(model, references=[model.copy()], **SHORT)


def test_images_that_cannot_be_read_are_said(model, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    for index in range(20):
        pil.fromarray(striped_image(index)[0]).save(tmp_path / f"{index}.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:60])
    result = cleanclip.check_model(model, tmp_path, **{**SHORT, "image_limit": 24})
    images = result.as_dict()["images"]
    assert images["count"] == 20 and images["unread"] == 1
    assert images["left_out"]["unreadable_rows"]["count"] == 1
    assert "Images that were not used: unreadable rows (1)" in result.explanation


def test_a_bank_flags_what_it_does_not_know(model, vocabulary, tmp_path):
    clean = np.stack([striped_image(i, (32, 32))[0] for i in range(60)])
    random = np.random.default_rng(3)
    clean = np.clip(clean + random.integers(-20, 20, clean.shape), 0, 255).astype(np.uint8)
    bank = cleanclip.Bank(model.encode_image(clean, normalize=False))
    strange = noise(4)
    plain = cleanclip.check_inputs(model, strange, bank, false_alarm_rate=0.05)
    assert plain.scores.shape == (4,) and plain.flagged.dtype == bool
    assert plain.flagged.all()
    bank.add_classes(model, list(COLOURS), ["a {} box"])
    bank.save(tmp_path / "bank.safetensors")
    read = cleanclip.Bank(tmp_path / "bank.safetensors")
    texts = cleanclip.check_inputs(model, strange, bank, false_alarm_rate=0.05)
    again = cleanclip.check_inputs(model, strange, read, false_alarm_rate=0.05)
    np.testing.assert_array_equal(texts.scores, again.scores)
    assert not np.array_equal(texts.scores, plain.scores)
    heard = []
    many = np.concatenate([strange] * 20)
    told = cleanclip.check_inputs(
        model, many, bank, false_alarm_rate=0.05, progress=lambda *counts: heard.append(counts)
    )
    assert heard == [(64, 80), (80, 80)]
    np.testing.assert_allclose(told.scores, np.tile(texts.scores, 20), rtol=1e-5)
    with pytest.raises(cleanclip.CancelledError, match="64 of 80 images"):
        cleanclip.check_inputs(model, many, bank, progress=lambda done, of: False)
    with pytest.raises(ValueError, match="expected at least 99, got 60"):
        cleanclip.check_inputs(model, strange, bank, false_alarm_rate=0.01)
    with pytest.raises(ValueError, match="too few images"):
        cleanclip.Bank(np.zeros((3, 16), np.float32))


def test_a_bank_judges_sets_is_extended_and_is_of_one_model(model, tmp_path):
    random = np.random.default_rng(3)
    clean = np.stack([striped_image(i, (32, 32))[0] for i in range(120)])
    clean = np.clip(clean + random.integers(-20, 20, clean.shape), 0, 255).astype(np.uint8)
    bank = cleanclip.Bank(model.encode_image(clean[:60], normalize=False), model)
    quiet = cleanclip.check_input_set(model, clean[:60], bank, false_alarm_rate=0.05)
    assert quiet.verdict == "clean" and quiet.scores.shape == (60,)
    fields = quiet.as_dict()
    assert fields["bank_images"] == 60 and fields["flagged"] == 0 and fields["shift"] is not None
    assert [image["key"] for image in fields["images"]] == [str(i) for i in range(60)]
    loud = cleanclip.check_input_set(model, noise(30), bank, false_alarm_rate=0.05)
    assert loud.verdict in ("backdoored", "cannot_tell") and loud.as_dict()["flagged"] == 30
    loud.write(tmp_path / "set.html")
    assert "30 of 30 images are flagged" in (tmp_path / "set.html").read_text()
    assert bank.extend(model.encode_image(clean, normalize=False)) == 60
    assert bank.extend(model.encode_image(clean, normalize=False)) == 0
    with pytest.raises(cleanclip.ShapeError, match=r"expected \[n, "):
        bank.extend(np.zeros((2, 3), np.float32))
    bank.save(tmp_path / "bank.safetensors")
    other = cleanclip.create(TINY, seed=9)
    for judge in (cleanclip.check_inputs, cleanclip.check_input_set):
        with pytest.raises(ValueError, match="bank.safetensors': is of another model"):
            judge(other, clean, cleanclip.Bank(tmp_path / "bank.safetensors"))
    with pytest.raises(TypeError, match="bank"):
        cleanclip.check_inputs(model, clean, "bank.safetensors")
    with pytest.raises(TypeError, match="false_alarm_rate: expected a number, got str"):
        cleanclip.check_inputs(model, clean, bank, false_alarm_rate="0.1")


def test_features_without_their_length_are_refused_by_banks(model):
    random = np.random.default_rng(3)
    clean = random.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    whole, unit = (model.encode_image(clean, normalize=value) for value in (False, True))
    bank = cleanclip.Bank(whole)
    for use in (cleanclip.Bank, bank.extend):
        with pytest.raises(ValueError, match="features are L2-normalized.*encode images with normalize 0"):
            use(unit)
    for wrong, error in ((whole.astype(str), TypeError), (whole > 0, TypeError),
                         (np.ma.masked_greater(whole, 0), ValueError)):
        with pytest.raises(error, match="features: "):
            bank.extend(wrong)


def test_images_of_another_scale_or_kind_are_refused(model):
    pixels = np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)
    for wrong in (2 * pixels - 1, 2 * pixels, list(2 * pixels - 1), [None], [5]):
        with pytest.raises(ValueError, match="scale|expected"):
            model.encode_image(wrong)


def test_large_images_do_not_take_all_memory(vocabulary):
    def model(side):
        tower = {"image_size": side, "layers": 1, "width": 8, "head_width": 8, "patch_size": 256}
        return cleanclip.create(dict(TINY, vision_cfg=tower), seed=1, tokenizer=vocabulary)

    with pytest.raises(cleanclip.UnsupportedError, match="got 4096 pixels a side, of which 5 do"):
        cleanclip.check_model(model(4096))
    with pytest.raises(cleanclip.CleanCLIPError, match="image_size is out of range"):
        model(8192)


def test_features_of_classes_serve_as_their_prompts_do(model, pairs):
    classes = list(COLOURS)
    features = model.encode_text([f"a photo of a {name}" for name in classes])
    named = cleanclip.evaluate(model, pairs, classes)
    given = cleanclip.evaluate(model, pairs, classes, class_features=features)
    assert given["clean_accuracy"] == named["clean_accuracy"]
    images = [(image, caption) for image, caption, _ in pairs]
    found = cleanclip.check_model(
        model, images, classes=classes, class_features=features, **{**SHORT, "steps": 12})
    same = cleanclip.check_model(model, images, classes=classes, **{**SHORT, "steps": 12})
    assert [f.target for f in found.findings] == [f.target for f in same.findings]
    with pytest.raises(ValueError, match=r"class_features: expected \[\d+, E\], a row for each class"):
        cleanclip.evaluate(model, pairs, classes, class_features=features[1:])
    with pytest.raises(cleanclip.CleanCLIPError, match="templates have no effect with class_features"):
        cleanclip.check_model(
            model, images, classes=classes, templates=["a {}"], class_features=features, **SHORT)
    with pytest.raises(cleanclip.CleanCLIPError, match="features do not fit"):
        cleanclip.evaluate(model, pairs, classes, class_features=features[:, 1:])
