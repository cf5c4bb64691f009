"""Unlearning through Python: candidates, known triggers, the verdict and its evidence."""

import numpy as np
import pytest

import cleanclip

CLASSES = ["red", "green", "blue", "grey"]


def images_of(pairs):
    return [(image, "") for image, *_ in pairs] * (1 + 64 // len(pairs))


def test_known_triggers_are_unlearned_towards_given_classes(model, pairs):
    before = model.encode_image([image for image, *_ in pairs][:4])
    history = cleanclip.sanitize(
        model, images=images_of(pairs), method="unlearn", classes=CLASSES,
        templates=["a {} thing"], triggers=[cleanclip.Trigger("blended", fixed=True)], batch_size=8)
    outcome = history.outcome
    assert outcome["agreement"]["classes"] == CLASSES
    assert history.verdict == outcome["verdict"]
    assert {search["target"] for search in outcome["searches"]} <= set(CLASSES)
    for trigger in outcome["triggers"]:
        assert trigger["target"] in CLASSES
        assert 0 <= trigger["attack_success_rate_after"] <= 1 and "base_rate" in trigger
    changed = not np.array_equal(before, model.encode_image([image for image, *_ in pairs][:4]))
    assert changed == (history.verdict != "nothing_found")


def test_what_has_no_effect_is_refused(model, pairs):
    trigger = cleanclip.Trigger("blended", fixed=True)
    for options in ({"classes": CLASSES}, {"triggers": [trigger]}, {"templates": ["a {}"]}):
        with pytest.raises(cleanclip.InvalidArgumentError, match="no effect with method cleanclip"):
            cleanclip.sanitize(model, pairs, **options)
    with pytest.raises(cleanclip.InvalidArgumentError, match="classes are too few.*at least 4.*got 3"):
        cleanclip.sanitize(model, images=pairs, method="unlearn", classes=CLASSES[:3])
    with pytest.raises(cleanclip.InvalidArgumentError, match="templates have no effect without"):
        cleanclip.sanitize(model, images=pairs, method="unlearn", templates=["a {}"])
