"""Checks of checkpoints and datasets: ``cleanclip/check.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t
from ctypes import c_uint64, c_void_p

from .binding import bind, bind_init, c_float_p, c_size_t_p, c_char_p_p, c_void_p_p
from .communicator import Communicator
from .computing import CountCallback
from .status import c_status

VERDICT_CLEAN = 0
VERDICT_SUSPICIOUS = 1
VERDICT_BACKDOORED = 2
VERDICT_CANNOT_TELL = 3


class CheckModelOptions(Structure):
    """``cleanclip_check_model_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("images", c_void_p),
        ("tokenizer", c_void_p),
        ("classes", c_char_p_p),
        ("class_count", c_int64),
        ("templates", c_char_p_p),
        ("template_count", c_int64),
        ("references", c_void_p_p),
        ("reference_count", c_int64),
        ("state_directory", c_char_p),
        ("image_limit", c_int64),
        ("steps", c_int64),
        ("batch_size", c_int64),
        ("reference_searches", c_int64),
        ("class_searches", c_int64),
        ("seed", c_uint64),
        ("precision", c_int32),
        ("nouns", c_int32),
        ("text", c_int32),
        ("resume", c_int32),
        ("class_features", c_float_p),
        ("class_embed_dim", c_int64),
        ("exhaustive", c_int32),
        ("reserved", c_int32),
        ("communicator", POINTER(Communicator)),
    ]


# void cleanclip_check_model_options_init(cleanclip_check_model_options *options,
#                                         size_t struct_size);
check_model_options_init = bind_init("cleanclip_check_model_options_init", CheckModelOptions)

# cleanclip_status cleanclip_check_model(cleanclip_model *model,
#                                        const cleanclip_check_model_options *options,
#                                        cleanclip_count_callback callback, void *user_data,
#                                        cleanclip_check **out_check);
check_model = bind(
    "cleanclip_check_model",
    c_status,
    c_void_p,
    POINTER(CheckModelOptions),
    CountCallback,
    c_void_p,
    c_void_p_p,
)


class CheckDataOptions(Structure):
    """``cleanclip_check_data_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("trusted", c_void_p),
        ("trusted_tokenizer", c_void_p),
        ("image_features", c_float_p),
        ("embed_dim", c_int64),
        ("trusted_image_features", c_float_p),
        ("trusted_text_features", c_float_p),
        ("trusted_embed_dim", c_int64),
        ("keys", c_char_p_p),
        ("captions", c_char_p_p),
        ("pair_count", c_int64),
        ("state_directory", c_char_p),
        ("assumed_poison_rate", c_double),
        ("seed", c_uint64),
        ("precision", c_int32),
        ("patches", c_int32),
        ("resume", c_int32),
        ("allow_unread", c_double),
        ("image_feature_files", c_char_p_p),
        ("image_feature_file_count", c_int64),
        ("trusted_feature_files", c_char_p_p),
        ("trusted_feature_file_count", c_int64),
        ("memory_budget", c_int64),
    ]


# void cleanclip_check_data_options_init(cleanclip_check_data_options *options,
#                                        size_t struct_size);
check_data_options_init = bind_init("cleanclip_check_data_options_init", CheckDataOptions)

# cleanclip_status cleanclip_check_data(const cleanclip_model *model,
#                                       const cleanclip_dataset *dataset,
#                                       const cleanclip_check_data_options *options,
#                                       cleanclip_count_callback callback, void *user_data,
#                                       cleanclip_check **out_check);
check_data = bind(
    "cleanclip_check_data",
    c_status,
    c_void_p,
    c_void_p,
    POINTER(CheckDataOptions),
    CountCallback,
    c_void_p,
    c_void_p_p,
)

# void cleanclip_check_free(cleanclip_check *check);
check_free = bind("cleanclip_check_free", None, c_void_p)

# cleanclip_verdict cleanclip_check_verdict(const cleanclip_check *check);
check_verdict = bind("cleanclip_check_verdict", c_int32, c_void_p)

# int64_t cleanclip_check_score_count(const cleanclip_check *check);
check_score_count = bind("cleanclip_check_score_count", c_int64, c_void_p)

# cleanclip_status cleanclip_check_scores(const cleanclip_check *check, float *out_scores,
#                                         size_t out_capacity);
check_scores = bind("cleanclip_check_scores", c_status, c_void_p, c_float_p, c_size_t)

class Finding(Structure):
    """``cleanclip_finding``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_char_p),
        ("target", c_char_p),
        ("word", c_char_p),
        ("size_meaning", c_char_p),
        ("reference_source", c_char_p),
        ("predicted_target", c_char_p),
        ("reference_count", c_int64),
        ("p_value", c_double),
        ("size", c_float),
        ("attack_success_rate", c_float),
        ("verdict", c_int32),
        ("has_trigger", c_int32),
    ]


# void cleanclip_finding_init(cleanclip_finding *finding, size_t struct_size);
finding_init = bind_init("cleanclip_finding_init", Finding)

# int64_t cleanclip_check_finding_count(const cleanclip_check *check);
check_finding_count = bind("cleanclip_check_finding_count", c_int64, c_void_p)

# cleanclip_status cleanclip_check_finding(const cleanclip_check *check, int64_t index,
#                                          cleanclip_finding *out_finding);
check_finding = bind("cleanclip_check_finding", c_status, c_void_p, c_int64, POINTER(Finding))

# cleanclip_status cleanclip_check_finding_reference(const cleanclip_check *check, int64_t index,
#                                                    float *out_sizes, size_t out_capacity);
check_finding_reference = bind(
    "cleanclip_check_finding_reference", c_status, c_void_p, c_int64, c_float_p, c_size_t
)

# cleanclip_status cleanclip_check_finding_trigger(const cleanclip_check *check, int64_t index,
#                                                  cleanclip_trigger **out_trigger);
check_finding_trigger = bind(
    "cleanclip_check_finding_trigger", c_status, c_void_p, c_int64, c_void_p_p
)

# cleanclip_status cleanclip_check_json(const cleanclip_check *check, char *out_text,
#                                       size_t out_capacity, size_t *out_length);
check_json = bind("cleanclip_check_json", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p)

# cleanclip_status cleanclip_check_write(const cleanclip_check *check, const char *path);
check_write = bind("cleanclip_check_write", c_status, c_void_p, c_char_p)
