"""The check of a dataset: given features, parts of them, rows that cannot be read, stopping."""

import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import TINY, features_with_strangers, noise, striped_image

import cleanclip


def test_a_check_of_data_has_no_findings():
    data = cleanclip.check_data(None, None, image_features=features_with_strangers()[0])
    assert not hasattr(data, "findings") and data.verdict == "cannot_tell"


def test_pairs_in_memory_are_called_alike_everywhere(model, tmp_path):
    many = [(striped_image(i)[0], f"a {striped_image(i)[1]} box number {i}") for i in range(300)]
    result = cleanclip.check_data(None, many, image_features=features_with_strangers()[0])
    result.write(tmp_path / "kept.txt")
    result.write(tmp_path / "bad.suspects")
    kept = (tmp_path / "kept.txt").read_text().splitlines()
    assert kept[0].split("\t") == ["0", "pair 0"]
    (tmp_path / "bad.suspects").write_text("\n".join(kept[:2]))
    history = cleanclip.sanitize(
        model, many, suspects=tmp_path / "bad.suspects", epochs=1, batch_size=100)
    assert [row["key"] for row in history.as_dict()["cleaning_set"]["rows"]] == ["pair 0", "pair 1"]


def test_nothing_to_check_is_named(model):
    with pytest.raises(TypeError, match="takes data, or features of pairs"):
        cleanclip.check_data(model, None)


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
    with pytest.raises(cleanclip.InvalidArgumentError, match="1 rows of the parts belong to no pair"):
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


def test_what_a_clean_verdict_lacks_is_said(tmp_path):
    features, strangers = features_with_strangers()
    captions = [f"box number {i}" for i in range(300)]
    assert cleanclip.check_data(None, None, image_features=features, captions=captions).verdict == "clean"
    for given in (None, [""] * 300, [" "] * 300):
        found = cleanclip.check_data(None, None, image_features=features, captions=given)
        assert found.verdict == "cannot_tell" and "without captions" in found.explanation
    some = captions[:290] + [""] * 10
    found = cleanclip.check_data(None, None, image_features=features, captions=some)
    assert found.verdict == "cannot_tell" and "10 pairs have no caption" in found.explanation
    allowed = cleanclip.check_data(None, None, image_features=features, captions=some, allow_unread=10)
    assert allowed.verdict == "clean"
    # What tells most poison is the length of its features.
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.save(tmp_path / "unit.npy", unit)
    for given in (unit, tmp_path / "unit.npy"):
        found = cleanclip.check_data(None, None, image_features=given, captions=captions)
        assert found.verdict == "cannot_tell" and "of length 1" in found.explanation
    # Options that nothing comes of.
    model = cleanclip.create(TINY, seed=1)
    with pytest.raises(ValueError, match="model has no effect with image features"):
        cleanclip.check_data(model, [(noise(1)[0], "x")] * 300, image_features=features)


def test_check_data_needs_no_images(tmp_path):
    features, strangers = features_with_strangers()
    result = cleanclip.check_data(None, None, image_features=features)
    assert set(np.argsort(-result.scores)[:6]) == set(strangers)
    assert result.as_dict()["verdict"] == "cannot_tell" and result.as_dict()["removed"] == 0
    captions = [f"a {'truck' if i in strangers else 'box'} number {i}" for i in range(300)]
    keys = [f"pair/{i}" for i in range(300)]
    named = cleanclip.check_data(None, None, image_features=features, keys=keys, captions=captions)
    np.testing.assert_array_equal(named.scores, result.scores)
    # A word that no other pair has says little about its usual rate: six are no certainty.
    assert named.as_dict()["words"][0]["text"] == "truck" and named.as_dict()["verdict"] == "suspicious"
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
from conftest import noise

cleanclip.check_data(
    cleanclip.load(sys.argv[1]), [(image, "a box") for image in noise(2000)], state_directory=sys.argv[2]
)
"""


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


def test_what_was_read_is_not_replaced(pairs, tmp_path):
    with cleanclip.Dataset.from_pairs(pairs) as rows:
        cleanclip.poison(rows, "sig", tmp_path / "set.csv", target="red", count=1)
    table = (tmp_path / "set.csv").read_bytes()
    for output, truth in (("set.csv", None), ("other.tar", "set.csv")):
        with pytest.raises(ValueError, match="set.csv': is both read and written"):
            cleanclip.poison(
                tmp_path / "set.csv", "sig", tmp_path / output, target="red", count=1,
                truth_path=truth and tmp_path / truth)
    features, _ = features_with_strangers()
    found = cleanclip.check_data(None, tmp_path / "set.csv", image_features=features[:len(pairs)])
    with pytest.raises(ValueError, match="is both read and written"):
        found.write(tmp_path / "set.csv")
    assert (tmp_path / "set.csv").read_bytes() == table


def test_check_data_says_what_images_that_stand_out_are():
    random = np.random.default_rng(4)
    images = random.integers(0, 256, (200, 24, 24, 3), dtype=np.uint8)
    features = random.normal(size=(200, 6)).astype(np.float32)
    # One image 40 times over, with one caption or with many.
    rows = np.concatenate([np.arange(200), np.full(40, 7)])

    def check(caption):
        return cleanclip.check_data(
            None, [(images[row], f"a box number {place}" if place < 200 else caption(place))
                   for place, row in enumerate(rows)], image_features=features[rows])

    cake = check(lambda place: "our birthday cake")
    found = cake.as_dict()["repeated_images"]
    assert [(entry["kind"], entry["pairs"], entry["distinct_images"]) for entry in found] == [
        ("one_image_one_caption", 41, 1)]
    assert found[0]["caption"] == "our birthday cake" and found[0]["caption_fraction"] > 0.9
    assert cake.verdict == "suspicious" and "planted or not" in cake.explanation
    plain = check(lambda place: f"a box number {place}")
    assert [entry["kind"] for entry in plain.as_dict()["repeated_images"]] == ["duplicates"]
    assert plain.verdict == "clean" and plain.as_dict()["head"] is None
