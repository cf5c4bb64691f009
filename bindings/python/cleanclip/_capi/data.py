"""Datasets: ``cleanclip/data.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_void_p

from .binding import bind, bind_init, c_size_t_p, c_char_p_p, c_void_p_p
from .status import c_status


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
dataset_options_init = bind_init("cleanclip_dataset_options_init", DatasetOptions)

# cleanclip_status cleanclip_dataset_open(const char *const *sources, int64_t count,
#                                         const cleanclip_dataset_options *options,
#                                         cleanclip_dataset **out_dataset);
dataset_open = bind(
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
dataset_create = bind(
    "cleanclip_dataset_create", c_status, c_int64, PairCallback, c_void_p, c_void_p_p
)

# void cleanclip_dataset_free(cleanclip_dataset *dataset);
dataset_free = bind("cleanclip_dataset_free", None, c_void_p)

# int64_t cleanclip_dataset_count(const cleanclip_dataset *dataset);
dataset_count = bind("cleanclip_dataset_count", c_int64, c_void_p)

# cleanclip_status cleanclip_dataset_describe(const cleanclip_dataset *dataset, char *out_text,
#                                             size_t out_capacity, size_t *out_length);
dataset_describe = bind(
    "cleanclip_dataset_describe", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)
