"""Sanitizing: ``cleanclip/sanitize.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64
from ctypes import c_size_t, c_uint64, c_void_p

from .binding import bind, bind_init, c_char_p_p, c_float_p, c_size_t_p, c_void_p_p
from .communicator import Communicator
from .status import c_status


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
        ("head_classes", c_int64),
        ("seed", c_uint64),
        ("learning_rate", c_float),
        ("weight_decay", c_float),
        ("clip_weight", c_float),
        ("inmodal_weight", c_float),
        ("precision", c_int32),
        ("resume", c_int32),
        ("max_accuracy_loss", c_float),
        ("classes", c_char_p_p),
        ("class_count", c_int64),
        ("templates", c_char_p_p),
        ("template_count", c_int64),
        ("triggers", c_void_p_p),
        ("trigger_count", c_int64),
        ("perturb_threshold", c_float),
        ("communicator", POINTER(Communicator)),
        ("sync_batch_norm", c_int32),
        ("reserved", c_int32),
        ("persistence_steps", c_int64),
        ("class_features", c_float_p),
        ("class_embed_dim", c_int64),
        ("suspects", c_char_p),
        ("check_data", c_int32),
        ("text", c_int32),
        ("attack_epsilon", c_float),
        ("attack_step_size", c_float),
        ("attack_steps", c_int64),
        ("match_every", c_int64),
        ("pool_fraction", c_float),
        ("safe_probability", c_float),
        ("inmodal_epochs", c_int64),
    ]


# void cleanclip_sanitize_options_init(cleanclip_sanitize_options *options, size_t struct_size);
sanitize_options_init = bind_init("cleanclip_sanitize_options_init", SanitizeOptions)


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
        ("waiting_fraction", c_double),
        ("phase", c_char_p),
        ("phase_done", c_int64),
        ("phase_total", c_int64),
    ]


# void cleanclip_progress_init(cleanclip_progress *progress, size_t struct_size);
progress_init = bind_init("cleanclip_progress_init", Progress)

# typedef int32_t (*cleanclip_progress_callback)(const cleanclip_progress *progress,
#                                                void *user_data);
ProgressCallback = CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)

# cleanclip_status cleanclip_sanitize(cleanclip_model *model,
#                                     const cleanclip_tokenizer *tokenizer,
#                                     const cleanclip_dataset *dataset,
#                                     const cleanclip_sanitize_options *options,
#                                     cleanclip_progress_callback callback, void *user_data,
#                                     cleanclip_history **out_history);
sanitize = bind(
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
history_free = bind("cleanclip_history_free", None, c_void_p)

# int64_t cleanclip_history_count(const cleanclip_history *history);
history_count = bind("cleanclip_history_count", c_int64, c_void_p)

# cleanclip_status cleanclip_history_step(const cleanclip_history *history, int64_t index,
#                                         cleanclip_progress *out_progress);
history_step = bind(
    "cleanclip_history_step", c_status, c_void_p, c_int64, POINTER(Progress)
)

# cleanclip_status cleanclip_history_json(const cleanclip_history *history, char *out_text,
#                                         size_t out_capacity, size_t *out_length);
history_json = bind(
    "cleanclip_history_json", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)
