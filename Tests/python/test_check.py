"""Poison checks of a model, of data, and of images."""

import json
import os
import pathlib
import subprocess
import sys
import time
import typing

import numpy as np
import pytest
from conftest import COLOURS, TINY, striped_image

import cleanclip

SHORT = dict(image_limit=24, steps=3, batch_size=4, nouns=False)


def features_with_strangers(count=300, strangers=6, width=8, seed=1):
    """Features in which a few are far from all others, and which those are."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, width)).astype(np.float32)
    chosen = np.arange(strangers) * (count // strangers)
    features[chosen] *= 12
    return features, chosen


def expect_fields(value, kind):
    """Check that JSON has the keys and types of a TypedDict, and those inside it."""
    if typing.get_origin(kind) is typing.Union:
        kind = next(inner for inner in typing.get_args(kind) if inner is not type(None))
        if value is None:
            return
    if typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind)
        assert set(value) == set(hints), kind
        for name, hint in hints.items():
            expect_fields(value[name], hint)
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
    assert result.as_dict()["images"] == {"count": 24, "source": "synthetic"}
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


def test_a_check_of_data_has_no_findings():
    data = cleanclip.check_data(None, None, image_features=features_with_strangers()[0])
    assert not hasattr(data, "findings") and data.verdict == "cannot_tell"


def test_triggers_have_names():
    names = cleanclip.trigger_names()
    assert "badnets" in names and len(set(names)) == len(names)
    for name in names:
        assert cleanclip.Trigger(name).apply(np.zeros((16, 16, 3), np.uint8)).shape == (16, 16, 3)
    with pytest.raises(cleanclip.InvalidArgumentError, match="trigger blended: position has no"):
        cleanclip.Trigger("blended", position="random")


def test_references_are_compared_with(model, vocabulary):
    other = model.copy()
    result = cleanclip.check_model(model, references=[other], **SHORT)
    finding = result.as_dict()["findings"][0]
    assert finding["reference"] == {"source": "clean_checkpoints", "sizes": [finding["size"]]}


def test_check_data_ranks_given_features(pairs, tmp_path):
    many = [(striped_image(i)[0], f"a {striped_image(i)[1]} box number {i}") for i in range(300)]
    features, strangers = features_with_strangers()
    result = cleanclip.check_data(None, many, image_features=features)
    assert result.scores.shape == (300,)
    assert set(np.argsort(-result.scores)[:6]) == set(strangers)
    result.write(tmp_path / "scores.csv")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 301
    with pytest.raises(ValueError, match="expected 300 rows"):
        cleanclip.check_data(None, many, image_features=features[:200])
    with pytest.raises(ValueError, match="row 7 is not usable"):
        features[7, 2] = np.nan
        cleanclip.check_data(None, many, image_features=features)


def save_parts(folder, features, keys, parts=3):
    """Write features as parts in no order, each with its keys."""
    order = np.random.default_rng(5).permutation(len(features))
    for number, rows in enumerate(np.array_split(order, parts)):
        np.save(folder / f"part-{number}.npy", features[rows])
        (folder / f"part-{number}.txt").write_text("".join(keys[row] + "\n" for row in rows))


def test_check_data_joins_parts(tmp_path):
    features, _ = features_with_strangers()
    keys = [f"pair/{i}" for i in range(300)]
    captions = [f"box number {i}" for i in range(300)]
    save_parts(tmp_path, features, keys)
    whole = cleanclip.check_data(None, None, image_features=features, keys=keys, captions=captions)
    for files in (tmp_path, tmp_path / "part-*.npy", sorted(tmp_path.glob("*.npy"))):
        joined = cleanclip.check_data(
            None, None, image_features=files, keys=keys, captions=captions,
            memory_budget=1 << 30)
        np.testing.assert_array_equal(joined.scores, whole.scores)
        assert joined.as_dict() == whole.as_dict()
    # The keys in the files are names where there are no others.
    named = cleanclip.check_data(None, None, image_features=tmp_path)
    named.write(tmp_path / "kept.txt")
    assert set(line.split("\t")[1] for line in (tmp_path / "kept.txt").read_text().splitlines()) == set(keys)
    with pytest.raises(cleanclip.InvalidArgumentError, match="memory_budget is too small"):
        cleanclip.check_data(None, None, image_features=tmp_path, memory_budget=1 << 20)
    with pytest.raises(cleanclip.InvalidArgumentError, match="1 of 300 pairs have no row in any part"):
        cleanclip.check_data(None, None, image_features=tmp_path, keys=[*keys[:-1], "another"])


def test_parts_that_disagree_are_refused(tmp_path):
    features, _ = features_with_strangers()
    keys = [f"pair/{i}" for i in range(300)]
    save_parts(tmp_path, features, keys)
    for other, words in ((features[:100].astype(np.float16), "got F16"), (features[:100, 1:], "got F32")):
        np.save(tmp_path / "part-2.npy", other)
        with pytest.raises(cleanclip.InvalidArgumentError, match=f"part-2.npy': parts disagree.*{words}"):
            cleanclip.check_data(None, None, image_features=tmp_path)
    with pytest.raises(cleanclip.InvalidArgumentError, match="part-0.npy': is one array"):
        cleanclip.check_data(None, None, trusted_features=tmp_path / "part-0.npy")
    with pytest.raises(cleanclip.NotFoundError, match="absent"):
        cleanclip.check_data(None, None, image_features=tmp_path / "absent-*.npy")


def test_check_data_needs_no_images(tmp_path):
    features, strangers = features_with_strangers()
    result = cleanclip.check_data(None, None, image_features=features)
    assert set(np.argsort(-result.scores)[:6]) == set(strangers)
    assert result.as_dict()["verdict"] == "cannot_tell" and result.as_dict()["removed"] == 0
    captions = [f"a {'truck' if i in strangers else 'box'} number {i}" for i in range(300)]
    keys = [f"pair/{i}" for i in range(300)]
    named = cleanclip.check_data(None, None, image_features=features, keys=keys, captions=captions)
    np.testing.assert_array_equal(named.scores, result.scores)
    assert named.as_dict()["words"][0]["text"] == "truck" and named.as_dict()["verdict"] == "backdoored"
    named.write(tmp_path / "kept.txt")
    kept = [line.split("\t") for line in (tmp_path / "kept.txt").read_text().splitlines()]
    assert len(kept) == 300 - named.as_dict()["removed"]
    assert all(keys[int(row)] == key for row, key in kept)
    assert not set(strangers) & {int(row) for row, _ in kept}
    named.write(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "pair/0" in page and "a truck number 50" in page and "<img" not in page
    result.write(tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text().splitlines()[300].startswith("299,299,")
    with pytest.raises(ValueError, match="keys: expected 300 rows"):
        cleanclip.check_data(None, None, image_features=features, keys=keys[:7])
    with pytest.raises(ValueError, match="dataset is NULL"):
        cleanclip.check_data(None, None)


class Failing(list):
    """Pairs of which every 25th cannot be had."""

    def __getitem__(self, index):
        if index % 25 == 7:
            raise RuntimeError(f"gone: {index}")
        return super().__getitem__(index)


def test_scores_keep_the_order_of_rows_that_cannot_be_read(model, caplog):
    pairs = Failing((image, f"box {i}") for i, image in enumerate(noise(100)))
    result = cleanclip.check_data(model, pairs)
    lost = [i for i in range(100) if i % 25 == 7]
    assert result.scores.shape == (100,)
    assert list(np.flatnonzero(np.isnan(result.scores))) == lost
    assert result.as_dict()["verdict"] in ("cannot_tell", "suspicious", "backdoored")
    left = result.as_dict()["left_out"]["unreadable_rows"]
    assert left["count"] == result.as_dict()["unread"] == 4
    assert "RuntimeError: gone: 7" in left["examples"][0]
    assert any("unreadable rows (4)" in record.getMessage() for record in caplog.records)
    assert "left out" in result.as_dict()["explanation"]
    features = np.random.default_rng(5).normal(size=(100, 16)).astype(np.float32)
    given = cleanclip.check_data(None, pairs, image_features=features, allow_unread=4)
    assert list(np.flatnonzero(np.isnan(given.scores))) == lost
    with pytest.raises(cleanclip.InvalidArgumentError, match="allow_unread is out of range"):
        cleanclip.check_data(None, None, image_features=features, allow_unread=-1)


def test_captions_that_do_not_match_by_a_trusted_model_come_first():
    random = np.random.default_rng(2)
    images = random.normal(size=(200, 16)).astype(np.float32)
    captions = images + 0.3 * random.normal(size=(200, 16)).astype(np.float32)
    captions[:8] = random.normal(size=(8, 16))
    result = cleanclip.check_data(None, None, trusted_features=(images, captions))
    assert set(np.argsort(-result.scores)[:8]) == set(range(8))
    assert result.as_dict()["mixture"]["low_weight"] < 0.1
    with pytest.raises(ValueError, match="arrays of one width, got 16 and 8"):
        cleanclip.check_data(None, None, trusted_features=(images, captions[:, :8]))


KILLED = """
import sys
import numpy as np
import cleanclip
from test_check import noise

cleanclip.check_data(
    cleanclip.load(sys.argv[1]), [(image, "a box") for image in noise(2000)], state_directory=sys.argv[2]
)
"""


def noise(count):
    """Images of nothing, uint8 [32, 32, 3]."""
    return np.random.default_rng(4).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)


def test_a_killed_dataset_check_goes_on(model, tmp_path):
    model.save(tmp_path / "model.onnx")
    state = tmp_path / "state"
    folders = [pathlib.Path(__file__).parent, *sys.path]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "model.onnx", state],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
    kept = state / "pairs-000000.safetensors"
    while not kept.exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    time_of_kept = kept.stat().st_mtime_ns
    loaded = cleanclip.load(tmp_path / "model.onnx")
    data = [(image, "a box") for image in noise(2000)]
    heard = []
    resumed = cleanclip.check_data(
        loaded, data, state_directory=state, resume=True, progress=lambda *counts: heard.append(counts)
    )
    assert kept.stat().st_mtime_ns == time_of_kept
    assert heard[0] == (512, 4000) and heard[-1] == (4000, 4000)
    np.testing.assert_array_equal(resumed.scores, cleanclip.check_data(loaded, data).scores)
    with pytest.raises(cleanclip.StateError, match="state of another check"):
        cleanclip.check_data(loaded, data[:1000], state_directory=state, resume=True)


def test_neighbours_can_be_cancelled(model):
    data = [(image, "a box") for image in noise(100)]
    with pytest.raises(cleanclip.CancelledError, match="after the neighbours of 100 of 100 pairs"):
        cleanclip.check_data(model, data, progress=lambda done, of: done <= of // 2)


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
