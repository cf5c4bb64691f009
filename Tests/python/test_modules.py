"""PyTorch modules that are sanitized where they are, and names of tensors that they use."""

import numpy as np
import pytest
from conftest import TINY

import cleanclip

TRAINING = {"epochs": 1, "batch_size": 8, "precision": "f32", "learning_rate": 1e-3}


@pytest.fixture
def open_clip_module(torch):
    open_clip = pytest.importorskip("open_clip", exc_type=ImportError)
    torch.manual_seed(0)
    return open_clip.CLIP(**{**TINY, "vision_cfg": dict(TINY["vision_cfg"])}).eval()


@pytest.fixture
def transformers_module(torch):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
             "num_attention_heads": 2}
    return transformers.CLIPModel(transformers.CLIPConfig(
        text_config={**sizes, "vocab_size": 520, "max_position_embeddings": 16,
                     "eos_token_id": 519, "bos_token_id": 518, "pad_token_id": 0},
        vision_config={**sizes, "image_size": 32, "patch_size": 8}, projection_dim=8)).eval()


@pytest.fixture(params=["open_clip_module", "transformers_module"])
def module(request):
    return request.getfixturevalue(request.param)


def weights(module):
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def test_a_module_gets_the_weights_that_a_model_gets(torch, module, pairs, vocabulary):
    model = cleanclip.load(module, vocabulary)
    expected = cleanclip.sanitize(model, pairs, **TRAINING)
    before = weights(module)
    history = cleanclip.sanitize(
        module, pairs, tokenizer=cleanclip.Tokenizer(vocabulary), **TRAINING)
    assert history.losses == expected.losses
    again = cleanclip.load(module, vocabulary)
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], values, err_msg=name)
    changed = [name for name, value in weights(module).items() if not torch.equal(value, before[name])]
    assert len(changed) > len(before) / 2


def test_element_types_stay(torch, module, pairs, vocabulary):
    module.half()
    cleanclip.sanitize(module, pairs, tokenizer=cleanclip.Tokenizer(vocabulary), **TRAINING)
    assert {value.dtype for value in module.parameters()} == {torch.float16}
    assert all(torch.isfinite(value).all() for value in module.parameters())


def test_a_cancelled_call_leaves_the_module(torch, module, pairs, vocabulary):
    before = weights(module)
    with pytest.raises(cleanclip.CancelledError):
        cleanclip.sanitize(
            module, pairs, tokenizer=cleanclip.Tokenizer(vocabulary), **TRAINING,
            progress=lambda progress: progress.step < 2)
    assert all(torch.equal(value, before[name]) for name, value in weights(module).items())


def test_names_of_hugging_face_are_the_modules(torch, transformers_module):
    tensors = cleanclip.load(transformers_module).state_dict(names="huggingface")
    own = dict(transformers_module.named_parameters())
    assert set(tensors) == set(own)
    for name, value in own.items():
        np.testing.assert_array_equal(tensors[name], value.detach().numpy(), err_msg=name)


def test_names_that_do_not_exist_are_refused(model):
    with pytest.raises(ValueError, match="names: unknown; expected one of openclip, huggingface"):
        model.state_dict(names="timm")
    residual = {**TINY, "vision_cfg": {
        "image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 8}}
    with pytest.raises(ValueError, match="no name in transformers' CLIPModel"):
        cleanclip.create(residual).state_dict(names="huggingface")
