"""Triggers and poisoned datasets: ``cleanclip/attack.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t
from ctypes import c_uint64, c_void_p

from .binding import bind, bind_init, c_int64_p, c_uint8_p, c_size_t_p, c_char_p_p, c_void_p_p
from .computing import CountCallback
from .status import c_status


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
trigger_options_init = bind_init("cleanclip_trigger_options_init", TriggerOptions)

# cleanclip_status cleanclip_trigger_load(const char *name,
#                                         const cleanclip_trigger_options *options,
#                                         cleanclip_trigger **out_trigger);
trigger_load = bind(
    "cleanclip_trigger_load", c_status, c_char_p, POINTER(TriggerOptions), c_void_p_p
)

# cleanclip_status cleanclip_trigger_names(char *out_text, size_t out_capacity,
#                                          size_t *out_length);
trigger_names = bind("cleanclip_trigger_names", c_status, c_char_p, c_size_t, c_size_t_p)

# cleanclip_status cleanclip_trigger_save(const cleanclip_trigger *trigger, const char *path);
trigger_save = bind("cleanclip_trigger_save", c_status, c_void_p, c_char_p)

# void cleanclip_trigger_free(cleanclip_trigger *trigger);
trigger_free = bind("cleanclip_trigger_free", None, c_void_p)

# cleanclip_status cleanclip_trigger_apply(const cleanclip_trigger *trigger, uint8_t *pixels,
#                                          int64_t count, int64_t first_index, int64_t height,
#                                          int64_t width);
trigger_apply = bind(
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
        ("preprocessing", c_char_p),
    ]


# void cleanclip_poison_options_init(cleanclip_poison_options *options, size_t struct_size);
poison_options_init = bind_init("cleanclip_poison_options_init", PoisonOptions)

# cleanclip_status cleanclip_dataset_poison(const cleanclip_dataset *dataset,
#                                           const cleanclip_trigger *trigger,
#                                           const cleanclip_poison_options *options,
#                                           const char *output_path, const char *truth_path,
#                                           cleanclip_count_callback callback, void *user_data,
#                                           int64_t *out_poisoned);
dataset_poison = bind(
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
