"""Accuracy and attack success rate: ``cleanclip/evaluate.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint64
from ctypes import c_void_p

from .binding import bind, bind_init, c_float_p, c_size_t_p, c_char_p_p, c_void_p_p
from .computing import CountCallback
from .encode import EncodeOptions
from .status import c_status


class EvaluateOptions(Structure):
    """``cleanclip_evaluate_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("classes_path", c_char_p),
        ("classes", c_char_p_p),
        ("class_count", c_int64),
        ("templates_path", c_char_p),
        ("templates", c_char_p_p),
        ("template_count", c_int64),
        ("trigger", c_void_p),
        ("target", c_char_p),
        ("batch_size", c_int64),
        ("seed", c_uint64),
        ("precision", c_int32),
        ("reserved", c_int32),
        ("class_features", c_float_p),
        ("class_embed_dim", c_int64),
    ]


# void cleanclip_evaluate_options_init(cleanclip_evaluate_options *options, size_t struct_size);
evaluate_options_init = bind_init("cleanclip_evaluate_options_init", EvaluateOptions)

# cleanclip_status cleanclip_evaluate(const cleanclip_model *model,
#                                     const cleanclip_tokenizer *tokenizer,
#                                     const cleanclip_dataset *dataset,
#                                     const cleanclip_evaluate_options *options,
#                                     cleanclip_count_callback callback, void *user_data,
#                                     cleanclip_evaluation **out_evaluation);
evaluate = bind(
    "cleanclip_evaluate",
    c_status,
    c_void_p,
    c_void_p,
    c_void_p,
    POINTER(EvaluateOptions),
    CountCallback,
    c_void_p,
    c_void_p_p,
)

# void cleanclip_evaluation_free(cleanclip_evaluation *evaluation);
evaluation_free = bind("cleanclip_evaluation_free", None, c_void_p)


class Rate(Structure):
    """``cleanclip_rate``"""

    _fields_ = [("value", c_double), ("low", c_double), ("high", c_double)]


TOP1 = 0
TOP3 = 1
TOP5 = 2
TOP10 = 3


class Scores(Structure):
    """``cleanclip_scores``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("images", c_int64),
        ("attacked_images", c_int64),
        ("skipped_images", c_int64),
        ("clean_accuracy", Rate * 4),
        ("attack_success_rate", Rate * 4),
    ]


# void cleanclip_scores_init(cleanclip_scores *scores, size_t struct_size);
scores_init = bind_init("cleanclip_scores_init", Scores)

# cleanclip_status cleanclip_evaluation_scores(const cleanclip_evaluation *evaluation,
#                                              cleanclip_scores *out_scores);
evaluation_scores = bind(
    "cleanclip_evaluation_scores", c_status, c_void_p, POINTER(Scores)
)

# cleanclip_status cleanclip_evaluation_json(const cleanclip_evaluation *evaluation,
#                                            char *out_text, size_t out_capacity,
#                                            size_t *out_length);
evaluation_json = bind(
    "cleanclip_evaluation_json", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)

# cleanclip_status cleanclip_evaluate_retrieval(
#     const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
#     const cleanclip_dataset *dataset, const cleanclip_encode_options *options,
#     cleanclip_count_callback callback, void *user_data, char *out_text, size_t out_capacity,
#     size_t *out_length);
evaluate_retrieval = bind(
    "cleanclip_evaluate_retrieval",
    c_status,
    c_void_p,
    c_void_p,
    c_void_p,
    POINTER(EncodeOptions),
    CountCallback,
    c_void_p,
    c_char_p,
    c_size_t,
    c_size_t_p,
)
