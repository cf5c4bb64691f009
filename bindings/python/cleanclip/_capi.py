"""The functions, structs and constants of ``cleanclip.h``, one to one and in its order."""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable

from ._library import library


def _bind(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
    function = getattr(library, name)
    function.restype = restype
    function.argtypes = list(argtypes)
    bound: Callable[..., Any] = function
    return bound


c_float_p = POINTER(c_float)
c_int32_p = POINTER(c_int32)
c_int64_p = POINTER(c_int64)
c_uint8_p = POINTER(c_uint8)
c_size_t_p = POINTER(c_size_t)
c_char_p_p = POINTER(c_char_p)
c_void_p_p = POINTER(c_void_p)

# cleanclip/version.h --------------------------------------------------------------------------

# uint32_t cleanclip_version_number(void);
version_number = _bind("cleanclip_version_number", c_uint32)

# const char *cleanclip_version(void);
version = _bind("cleanclip_version", c_char_p)

# cleanclip/status.h ---------------------------------------------------------------------------

OK = 0
INVALID_ARGUMENT = 1
SHAPE = 2
NOT_FOUND = 3
IO = 4
FORMAT = 5
UNSUPPORTED = 6
STATE = 7
OUT_OF_MEMORY = 8
CANCELLED = 9
INTERNAL = 10

c_status = c_uint32

# const char *cleanclip_status_name(cleanclip_status status);
status_name = _bind("cleanclip_status_name", c_char_p, c_status)

# const char *cleanclip_last_error(void);
last_error = _bind("cleanclip_last_error", c_char_p)

# cleanclip/computing.h ------------------------------------------------------------------------

# cleanclip_status cleanclip_set_num_threads(int32_t count);
set_num_threads = _bind("cleanclip_set_num_threads", c_status, c_int32)

# int32_t cleanclip_num_threads(void);
num_threads = _bind("cleanclip_num_threads", c_int32)

PRECISION_AUTO = 0
PRECISION_F32 = 1
PRECISION_BF16 = 2

# int64_t cleanclip_memory_in_use(void);
memory_in_use = _bind("cleanclip_memory_in_use", c_int64)

# int64_t cleanclip_memory_peak(void);
memory_peak = _bind("cleanclip_memory_peak", c_int64)

# void cleanclip_memory_trim(void);
memory_trim = _bind("cleanclip_memory_trim", None)

# typedef void (*cleanclip_log_callback)(const char *message, void *user_data);
LogCallback = CFUNCTYPE(None, c_char_p, c_void_p)

# void cleanclip_set_log_callback(cleanclip_log_callback callback, void *user_data);
set_log_callback = _bind("cleanclip_set_log_callback", None, LogCallback, c_void_p)

# typedef int32_t (*cleanclip_count_callback)(int64_t done, int64_t total, void *user_data);
CountCallback = CFUNCTYPE(c_int32, c_int64, c_int64, c_void_p)

# cleanclip/model.h ----------------------------------------------------------------------------

# cleanclip_status cleanclip_model_load(const char *path, cleanclip_model **out_model);
model_load = _bind("cleanclip_model_load", c_status, c_char_p, c_void_p_p)

# cleanclip_status cleanclip_model_create(const char *architecture, uint64_t seed,
#                                         cleanclip_model **out_model);
model_create = _bind("cleanclip_model_create", c_status, c_char_p, c_uint64, c_void_p_p)

# cleanclip_status cleanclip_model_copy(const cleanclip_model *model,
#                                       cleanclip_model **out_model);
model_copy = _bind("cleanclip_model_copy", c_status, c_void_p, c_void_p_p)

# cleanclip_status cleanclip_model_save(const cleanclip_model *model, const char *path);
model_save = _bind("cleanclip_model_save", c_status, c_void_p, c_char_p)

# void cleanclip_model_free(cleanclip_model *model);
model_free = _bind("cleanclip_model_free", None, c_void_p)

# cleanclip_status cleanclip_model_describe(const cleanclip_model *model, char *out_text,
#                                           size_t out_capacity, size_t *out_length);
model_describe = _bind(
    "cleanclip_model_describe", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)

# int64_t cleanclip_model_embed_dim(const cleanclip_model *model);
model_embed_dim = _bind("cleanclip_model_embed_dim", c_int64, c_void_p)

# int64_t cleanclip_model_image_size(const cleanclip_model *model);
model_image_size = _bind("cleanclip_model_image_size", c_int64, c_void_p)

# int64_t cleanclip_model_context_length(const cleanclip_model *model);
model_context_length = _bind("cleanclip_model_context_length", c_int64, c_void_p)

# int64_t cleanclip_model_vocab_size(const cleanclip_model *model);
model_vocab_size = _bind("cleanclip_model_vocab_size", c_int64, c_void_p)

# float cleanclip_model_logit_scale(const cleanclip_model *model);
model_logit_scale = _bind("cleanclip_model_logit_scale", c_float, c_void_p)


class ParameterInfo(Structure):
    """``cleanclip_parameter_info``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("element_count", c_int64),
        ("dimensions", c_int64 * 8),
        ("rank", c_int32),
        ("is_trainable", c_int32),
    ]


# void cleanclip_parameter_info_init(cleanclip_parameter_info *info, size_t struct_size);
parameter_info_init = _bind(
    "cleanclip_parameter_info_init", None, POINTER(ParameterInfo), c_size_t
)

# int64_t cleanclip_model_parameter_count(const cleanclip_model *model);
model_parameter_count = _bind("cleanclip_model_parameter_count", c_int64, c_void_p)

# cleanclip_status cleanclip_model_parameter_info(const cleanclip_model *model, int64_t index,
#                                                 cleanclip_parameter_info *out_info);
model_parameter_info = _bind(
    "cleanclip_model_parameter_info", c_status, c_void_p, c_int64, POINTER(ParameterInfo)
)

# cleanclip_status cleanclip_model_find_parameter(const cleanclip_model *model, const char *name,
#                                                 int64_t *out_index);
model_find_parameter = _bind(
    "cleanclip_model_find_parameter", c_status, c_void_p, c_char_p, c_int64_p
)

# cleanclip_status cleanclip_model_read_parameter(const cleanclip_model *model, const char *name,
#                                                 float *out_values, size_t out_capacity);
model_read_parameter = _bind(
    "cleanclip_model_read_parameter", c_status, c_void_p, c_char_p, c_float_p, c_size_t
)

# cleanclip_status cleanclip_model_write_parameter(cleanclip_model *model, const char *name,
#                                                  const float *values, size_t count);
model_write_parameter = _bind(
    "cleanclip_model_write_parameter", c_status, c_void_p, c_char_p, c_float_p, c_size_t
)

# cleanclip/tokenizer.h ------------------------------------------------------------------------

# cleanclip_status cleanclip_tokenizer_load(const char *path,
#                                           cleanclip_tokenizer **out_tokenizer);
tokenizer_load = _bind("cleanclip_tokenizer_load", c_status, c_char_p, c_void_p_p)

# cleanclip_status cleanclip_tokenizer_find(const char *model_path,
#                                           cleanclip_tokenizer **out_tokenizer);
tokenizer_find = _bind("cleanclip_tokenizer_find", c_status, c_char_p, c_void_p_p)

# void cleanclip_tokenizer_free(cleanclip_tokenizer *tokenizer);
tokenizer_free = _bind("cleanclip_tokenizer_free", None, c_void_p)

# int64_t cleanclip_tokenizer_vocab_size(const cleanclip_tokenizer *tokenizer);
tokenizer_vocab_size = _bind("cleanclip_tokenizer_vocab_size", c_int64, c_void_p)

# cleanclip_status cleanclip_tokenizer_encode(const cleanclip_tokenizer *tokenizer,
#                                             const char *const *texts, int64_t count,
#                                             int64_t context_length, int32_t *out_ids,
#                                             size_t out_capacity);
tokenizer_encode = _bind(
    "cleanclip_tokenizer_encode",
    c_status,
    c_void_p,
    c_char_p_p,
    c_int64,
    c_int64,
    c_int32_p,
    c_size_t,
)

# cleanclip/data.h -----------------------------------------------------------------------------

class DatasetOptions(Structure):
    """``cleanclip_dataset_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("image_column", c_char_p),
        ("caption_column", c_char_p),
        ("label_column", c_char_p),
        ("keep", c_char_p),
    ]


# void cleanclip_dataset_options_init(cleanclip_dataset_options *options, size_t struct_size);
dataset_options_init = _bind(
    "cleanclip_dataset_options_init", None, POINTER(DatasetOptions), c_size_t
)

# cleanclip_status cleanclip_dataset_open(const char *const *sources, int64_t count,
#                                         const cleanclip_dataset_options *options,
#                                         cleanclip_dataset **out_dataset);
dataset_open = _bind(
    "cleanclip_dataset_open", c_status, c_char_p_p, c_int64, POINTER(DatasetOptions), c_void_p_p
)


class Pair(Structure):
    """``cleanclip_pair``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("image", c_void_p),
        ("image_byte_count", c_size_t),
        ("caption", c_char_p),
        ("width", c_int32),
        ("height", c_int32),
        ("label", c_int32),
        ("has_label", c_int32),
        ("problem", c_char_p),
    ]


# typedef int32_t (*cleanclip_pair_callback)(int64_t index, cleanclip_pair *pair,
#                                            void *user_data);
PairCallback = CFUNCTYPE(c_int32, c_int64, POINTER(Pair), c_void_p)

# cleanclip_status cleanclip_dataset_create(int64_t count, cleanclip_pair_callback callback,
#                                           void *user_data, cleanclip_dataset **out_dataset);
dataset_create = _bind(
    "cleanclip_dataset_create", c_status, c_int64, PairCallback, c_void_p, c_void_p_p
)

# void cleanclip_dataset_free(cleanclip_dataset *dataset);
dataset_free = _bind("cleanclip_dataset_free", None, c_void_p)

# int64_t cleanclip_dataset_count(const cleanclip_dataset *dataset);
dataset_count = _bind("cleanclip_dataset_count", c_int64, c_void_p)

# cleanclip_status cleanclip_dataset_describe(const cleanclip_dataset *dataset, char *out_text,
#                                             size_t out_capacity, size_t *out_length);
dataset_describe = _bind(
    "cleanclip_dataset_describe", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)

# cleanclip/encode.h ---------------------------------------------------------------------------

class EncodeOptions(Structure):
    """``cleanclip_encode_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("batch_size", c_int64),
        ("normalize", c_int32),
        ("precision", c_int32),
    ]


# void cleanclip_encode_options_init(cleanclip_encode_options *options, size_t struct_size);
encode_options_init = _bind(
    "cleanclip_encode_options_init", None, POINTER(EncodeOptions), c_size_t
)

# cleanclip_status cleanclip_model_encode_images_f32(
#     const cleanclip_model *model, const float *pixels, int64_t count, int64_t height,
#     int64_t width, const cleanclip_encode_options *options, float *out_features,
#     size_t out_capacity);
model_encode_images_f32 = _bind(
    "cleanclip_model_encode_images_f32",
    c_status,
    c_void_p,
    c_float_p,
    c_int64,
    c_int64,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_images_u8(
#     const cleanclip_model *model, const uint8_t *pixels, int64_t count, int64_t height,
#     int64_t width, const cleanclip_encode_options *options, float *out_features,
#     size_t out_capacity);
model_encode_images_u8 = _bind(
    "cleanclip_model_encode_images_u8",
    c_status,
    c_void_p,
    c_uint8_p,
    c_int64,
    c_int64,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_image_files(
#     const cleanclip_model *model, const char *const *paths, int64_t count,
#     const cleanclip_encode_options *options, float *out_features, size_t out_capacity);
model_encode_image_files = _bind(
    "cleanclip_model_encode_image_files",
    c_status,
    c_void_p,
    c_char_p_p,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_image_inputs(
#     const cleanclip_model *model, const float *inputs, int64_t count,
#     const cleanclip_encode_options *options, float *out_features, size_t out_capacity);
model_encode_image_inputs = _bind(
    "cleanclip_model_encode_image_inputs",
    c_status,
    c_void_p,
    c_float_p,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_texts(
#     const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
#     const char *const *texts, int64_t count, const cleanclip_encode_options *options,
#     float *out_features, size_t out_capacity);
model_encode_texts = _bind(
    "cleanclip_model_encode_texts",
    c_status,
    c_void_p,
    c_void_p,
    c_char_p_p,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_tokens(
#     const cleanclip_model *model, const int32_t *ids, int64_t count, int64_t length,
#     const cleanclip_encode_options *options, float *out_features, size_t out_capacity);
model_encode_tokens = _bind(
    "cleanclip_model_encode_tokens",
    c_status,
    c_void_p,
    c_int32_p,
    c_int64,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip/sanitize.h -------------------------------------------------------------------------

class SanitizeOptions(Structure):
    """``cleanclip_sanitize_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("method", c_char_p),
        ("state_directory", c_char_p),
        ("head_path", c_char_p),
        ("epochs", c_int64),
        ("batch_size", c_int64),
        ("warmup_steps", c_int64),
        ("save_every", c_int64),
        ("memory_budget", c_int64),
        ("class_count", c_int64),
        ("seed", c_uint64),
        ("learning_rate", c_float),
        ("weight_decay", c_float),
        ("clip_weight", c_float),
        ("inmodal_weight", c_float),
        ("precision", c_int32),
        ("resume", c_int32),
        ("max_accuracy_loss", c_float),
    ]


# void cleanclip_sanitize_options_init(cleanclip_sanitize_options *options, size_t struct_size);
sanitize_options_init = _bind(
    "cleanclip_sanitize_options_init", None, POINTER(SanitizeOptions), c_size_t
)


class Progress(Structure):
    """``cleanclip_progress``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("epoch", c_int64),
        ("epochs", c_int64),
        ("step", c_int64),
        ("steps", c_int64),
        ("loss", c_double),
        ("crossmodal_loss", c_double),
        ("inmodal_loss", c_double),
        ("learning_rate", c_double),
        ("logit_scale", c_double),
        ("samples_per_second", c_double),
        ("waiting_share", c_double),
    ]


# void cleanclip_progress_init(cleanclip_progress *progress, size_t struct_size);
progress_init = _bind("cleanclip_progress_init", None, POINTER(Progress), c_size_t)

# typedef int32_t (*cleanclip_progress_callback)(const cleanclip_progress *progress,
#                                                void *user_data);
ProgressCallback = CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)

# cleanclip_status cleanclip_sanitize(cleanclip_model *model,
#                                     const cleanclip_tokenizer *tokenizer,
#                                     const cleanclip_dataset *dataset,
#                                     const cleanclip_sanitize_options *options,
#                                     cleanclip_progress_callback callback, void *user_data,
#                                     cleanclip_history **out_history);
sanitize = _bind(
    "cleanclip_sanitize",
    c_status,
    c_void_p,
    c_void_p,
    c_void_p,
    POINTER(SanitizeOptions),
    ProgressCallback,
    c_void_p,
    c_void_p_p,
)

# void cleanclip_history_free(cleanclip_history *history);
history_free = _bind("cleanclip_history_free", None, c_void_p)

# int64_t cleanclip_history_count(const cleanclip_history *history);
history_count = _bind("cleanclip_history_count", c_int64, c_void_p)

# cleanclip_status cleanclip_history_step(const cleanclip_history *history, int64_t index,
#                                         cleanclip_progress *out_progress);
history_step = _bind(
    "cleanclip_history_step", c_status, c_void_p, c_int64, POINTER(Progress)
)

# cleanclip_status cleanclip_history_json(const cleanclip_history *history, char *out_text,
#                                         size_t out_capacity, size_t *out_length);
history_json = _bind(
    "cleanclip_history_json", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)

# cleanclip/attack.h ---------------------------------------------------------------------------

class TriggerOptions(Structure):
    """``cleanclip_trigger_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("position", c_char_p),
        ("seed", c_uint64),
        ("fixed", c_int32),
        ("patch_size", c_int32),
        ("strength", c_float),
        ("reserved", c_int32),
    ]


# void cleanclip_trigger_options_init(cleanclip_trigger_options *options, size_t struct_size);
trigger_options_init = _bind(
    "cleanclip_trigger_options_init", None, POINTER(TriggerOptions), c_size_t
)

# cleanclip_status cleanclip_trigger_load(const char *name,
#                                         const cleanclip_trigger_options *options,
#                                         cleanclip_trigger **out_trigger);
trigger_load = _bind(
    "cleanclip_trigger_load", c_status, c_char_p, POINTER(TriggerOptions), c_void_p_p
)

# cleanclip_status cleanclip_trigger_names(char *out_text, size_t out_capacity,
#                                          size_t *out_length);
trigger_names = _bind("cleanclip_trigger_names", c_status, c_char_p, c_size_t, c_size_t_p)

# cleanclip_status cleanclip_trigger_save(const cleanclip_trigger *trigger, const char *path);
trigger_save = _bind("cleanclip_trigger_save", c_status, c_void_p, c_char_p)

# void cleanclip_trigger_free(cleanclip_trigger *trigger);
trigger_free = _bind("cleanclip_trigger_free", None, c_void_p)

# cleanclip_status cleanclip_trigger_apply(const cleanclip_trigger *trigger, uint8_t *pixels,
#                                          int64_t count, int64_t first_index, int64_t height,
#                                          int64_t width);
trigger_apply = _bind(
    "cleanclip_trigger_apply", c_status, c_void_p, c_uint8_p, c_int64, c_int64, c_int64, c_int64
)



class PoisonOptions(Structure):
    """``cleanclip_poison_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("target", c_char_p),
        ("templates", c_char_p_p),
        ("template_count", c_int64),
        ("image_size", c_int64),
        ("count", c_int64),
        ("pair_count", c_int64),
        ("rate", c_double),
        ("seed", c_uint64),
        ("uniform", c_int32),
        ("reserved", c_int32),
    ]


# void cleanclip_poison_options_init(cleanclip_poison_options *options, size_t struct_size);
poison_options_init = _bind(
    "cleanclip_poison_options_init", None, POINTER(PoisonOptions), c_size_t
)

# cleanclip_status cleanclip_dataset_poison(const cleanclip_dataset *dataset,
#                                           const cleanclip_trigger *trigger,
#                                           const cleanclip_poison_options *options,
#                                           const char *output_path, const char *truth_path,
#                                           cleanclip_count_callback callback, void *user_data,
#                                           int64_t *out_poisoned);
dataset_poison = _bind(
    "cleanclip_dataset_poison",
    c_status,
    c_void_p,
    c_void_p,
    POINTER(PoisonOptions),
    c_char_p,
    c_char_p,
    CountCallback,
    c_void_p,
    c_int64_p,
)

# cleanclip/evaluate.h -------------------------------------------------------------------------

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
    ]


# void cleanclip_evaluate_options_init(cleanclip_evaluate_options *options, size_t struct_size);
evaluate_options_init = _bind(
    "cleanclip_evaluate_options_init", None, POINTER(EvaluateOptions), c_size_t
)

# cleanclip_status cleanclip_evaluate(const cleanclip_model *model,
#                                     const cleanclip_tokenizer *tokenizer,
#                                     const cleanclip_dataset *dataset,
#                                     const cleanclip_evaluate_options *options,
#                                     cleanclip_count_callback callback, void *user_data,
#                                     cleanclip_evaluation **out_evaluation);
evaluate = _bind(
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
evaluation_free = _bind("cleanclip_evaluation_free", None, c_void_p)


class Share(Structure):
    """``cleanclip_share``"""

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
        ("clean_accuracy", Share * 4),
        ("attack_success_rate", Share * 4),
    ]


# void cleanclip_scores_init(cleanclip_scores *scores, size_t struct_size);
scores_init = _bind("cleanclip_scores_init", None, POINTER(Scores), c_size_t)

# cleanclip_status cleanclip_evaluation_scores(const cleanclip_evaluation *evaluation,
#                                              cleanclip_scores *out_scores);
evaluation_scores = _bind(
    "cleanclip_evaluation_scores", c_status, c_void_p, POINTER(Scores)
)

# cleanclip_status cleanclip_evaluation_json(const cleanclip_evaluation *evaluation,
#                                            char *out_text, size_t out_capacity,
#                                            size_t *out_length);
evaluation_json = _bind(
    "cleanclip_evaluation_json", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)

# cleanclip_status cleanclip_evaluate_retrieval(
#     const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
#     const cleanclip_dataset *dataset, const cleanclip_encode_options *options,
#     cleanclip_count_callback callback, void *user_data, char *out_text, size_t out_capacity,
#     size_t *out_length);
evaluate_retrieval = _bind(
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

# cleanclip/check.h ----------------------------------------------------------------------------

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
    ]


# void cleanclip_check_model_options_init(cleanclip_check_model_options *options,
#                                         size_t struct_size);
check_model_options_init = _bind(
    "cleanclip_check_model_options_init", None, POINTER(CheckModelOptions), c_size_t
)

# cleanclip_status cleanclip_check_model(cleanclip_model *model,
#                                        const cleanclip_check_model_options *options,
#                                        cleanclip_count_callback callback, void *user_data,
#                                        cleanclip_check **out_check);
check_model = _bind(
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
    ]


# void cleanclip_check_data_options_init(cleanclip_check_data_options *options,
#                                        size_t struct_size);
check_data_options_init = _bind(
    "cleanclip_check_data_options_init", None, POINTER(CheckDataOptions), c_size_t
)

# cleanclip_status cleanclip_check_data(const cleanclip_model *model,
#                                       const cleanclip_dataset *dataset,
#                                       const cleanclip_check_data_options *options,
#                                       cleanclip_count_callback callback, void *user_data,
#                                       cleanclip_check **out_check);
check_data = _bind(
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
check_free = _bind("cleanclip_check_free", None, c_void_p)

# cleanclip_verdict cleanclip_check_verdict(const cleanclip_check *check);
check_verdict = _bind("cleanclip_check_verdict", c_int32, c_void_p)

# int64_t cleanclip_check_score_count(const cleanclip_check *check);
check_score_count = _bind("cleanclip_check_score_count", c_int64, c_void_p)

# cleanclip_status cleanclip_check_scores(const cleanclip_check *check, float *out_scores,
#                                         size_t out_capacity);
check_scores = _bind("cleanclip_check_scores", c_status, c_void_p, c_float_p, c_size_t)

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
finding_init = _bind("cleanclip_finding_init", None, POINTER(Finding), c_size_t)

# int64_t cleanclip_check_finding_count(const cleanclip_check *check);
check_finding_count = _bind("cleanclip_check_finding_count", c_int64, c_void_p)

# cleanclip_status cleanclip_check_finding(const cleanclip_check *check, int64_t index,
#                                          cleanclip_finding *out_finding);
check_finding = _bind("cleanclip_check_finding", c_status, c_void_p, c_int64, POINTER(Finding))

# cleanclip_status cleanclip_check_finding_reference(const cleanclip_check *check, int64_t index,
#                                                    float *out_sizes, size_t out_capacity);
check_finding_reference = _bind(
    "cleanclip_check_finding_reference", c_status, c_void_p, c_int64, c_float_p, c_size_t
)

# cleanclip_status cleanclip_check_finding_trigger(const cleanclip_check *check, int64_t index,
#                                                  cleanclip_trigger **out_trigger);
check_finding_trigger = _bind(
    "cleanclip_check_finding_trigger", c_status, c_void_p, c_int64, c_void_p_p
)

# cleanclip_status cleanclip_check_json(const cleanclip_check *check, char *out_text,
#                                       size_t out_capacity, size_t *out_length);
check_json = _bind("cleanclip_check_json", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p)

# cleanclip_status cleanclip_check_write(const cleanclip_check *check, const char *path);
check_write = _bind("cleanclip_check_write", c_status, c_void_p, c_char_p)

# cleanclip_status cleanclip_bank_create(const float *image_features, int64_t count,
#                                        int64_t embed_dim, cleanclip_bank **out_bank);
bank_create = _bind(
    "cleanclip_bank_create", c_status, c_float_p, c_int64, c_int64, c_void_p_p
)

# cleanclip_status cleanclip_bank_add_classes(cleanclip_bank *bank, const cleanclip_model *model,
#                                             const cleanclip_tokenizer *tokenizer,
#                                             const char *const *classes, int64_t class_count,
#                                             const char *const *templates,
#                                             int64_t template_count);
bank_add_classes = _bind(
    "cleanclip_bank_add_classes",
    c_status,
    c_void_p,
    c_void_p,
    c_void_p,
    c_char_p_p,
    c_int64,
    c_char_p_p,
    c_int64,
)

# cleanclip_status cleanclip_bank_load(const char *path, cleanclip_bank **out_bank);
bank_load = _bind("cleanclip_bank_load", c_status, c_char_p, c_void_p_p)

# cleanclip_status cleanclip_bank_save(const cleanclip_bank *bank, const char *path);
bank_save = _bind("cleanclip_bank_save", c_status, c_void_p, c_char_p)

# void cleanclip_bank_free(cleanclip_bank *bank);
bank_free = _bind("cleanclip_bank_free", None, c_void_p)

# cleanclip_status cleanclip_check_inputs(const cleanclip_bank *bank, const float *image_features,
#                                         int64_t count, int64_t embed_dim,
#                                         double false_alarm_rate, float *out_scores,
#                                         int32_t *out_flags);
check_inputs = _bind(
    "cleanclip_check_inputs",
    c_status,
    c_void_p,
    c_float_p,
    c_int64,
    c_int64,
    c_double,
    c_float_p,
    c_int32_p,
)


def initialised(structure: Any, init: Callable[..., Any]) -> Any:
    """Return a new struct of a type after its ``_init`` function."""
    value = structure()
    init(ctypes.byref(value), ctypes.sizeof(structure))
    return value

# cleanclip/report.h ---------------------------------------------------------------------------

class ReportOptions(Structure):
    """``cleanclip_report_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("title", c_char_p),
        ("subtitle", c_char_p),
        ("model", c_void_p),
        ("before", c_void_p),
        ("after", c_void_p),
        ("control", c_void_p),
        ("history", c_void_p),
        ("control_history", c_void_p),
    ]


# void cleanclip_report_options_init(cleanclip_report_options *options, size_t struct_size);
report_options_init = _bind(
    "cleanclip_report_options_init", None, POINTER(ReportOptions), c_size_t
)

# cleanclip_status cleanclip_report_write(const cleanclip_report_options *options,
#                                         const char *path);
report_write = _bind("cleanclip_report_write", c_status, POINTER(ReportOptions), c_char_p)
