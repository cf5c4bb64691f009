"""Models: ``cleanclip/model.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint64
from ctypes import c_void_p

from .binding import bind, bind_init, c_float_p, c_int64_p, c_size_t_p, c_void_p_p
from .status import c_status

# cleanclip_status cleanclip_model_load(const char *path, cleanclip_model **out_model);
model_load = bind("cleanclip_model_load", c_status, c_char_p, c_void_p_p)



class ModelOptions(Structure):
    """``cleanclip_model_options``"""

    _fields_ = [("struct_size", c_size_t), ("preprocessing", c_char_p)]


# void cleanclip_model_options_init(cleanclip_model_options *options, size_t struct_size);
model_options_init = bind_init("cleanclip_model_options_init", ModelOptions)

# cleanclip_status cleanclip_model_load_with(const char *path,
#                                            const cleanclip_model_options *options,
#                                            cleanclip_model **out_model);
model_load_with = bind(
    "cleanclip_model_load_with", c_status, c_char_p, POINTER(ModelOptions), c_void_p_p
)

# cleanclip_status cleanclip_model_load_buffer(const void *bytes, size_t size,
#                                              const void *text_bytes, size_t text_size,
#                                              const cleanclip_model_options *options,
#                                              cleanclip_model **out_model);
model_load_buffer = bind(
    "cleanclip_model_load_buffer",
    c_status,
    c_void_p,
    c_size_t,
    c_void_p,
    c_size_t,
    POINTER(ModelOptions),
    c_void_p_p,
)

# cleanclip_status cleanclip_model_create(const char *architecture, uint64_t seed,
#                                         cleanclip_model **out_model);
model_create = bind("cleanclip_model_create", c_status, c_char_p, c_uint64, c_void_p_p)

# cleanclip_status cleanclip_model_copy(const cleanclip_model *model,
#                                       cleanclip_model **out_model);
model_copy = bind("cleanclip_model_copy", c_status, c_void_p, c_void_p_p)

# cleanclip_status cleanclip_model_save(const cleanclip_model *model, const char *path);
model_save = bind("cleanclip_model_save", c_status, c_void_p, c_char_p)

# cleanclip_status cleanclip_model_save_buffer(const cleanclip_model *model, const char *form,
#                                              cleanclip_buffer **out_buffer);
model_save_buffer = bind(
    "cleanclip_model_save_buffer", c_status, c_void_p, c_char_p, c_void_p_p
)

# const void *cleanclip_buffer_bytes(const cleanclip_buffer *buffer);
buffer_bytes = bind("cleanclip_buffer_bytes", c_void_p, c_void_p)

# size_t cleanclip_buffer_size(const cleanclip_buffer *buffer);
buffer_size = bind("cleanclip_buffer_size", c_size_t, c_void_p)

# void cleanclip_buffer_free(cleanclip_buffer *buffer);
buffer_free = bind("cleanclip_buffer_free", None, c_void_p)

# void cleanclip_model_free(cleanclip_model *model);
model_free = bind("cleanclip_model_free", None, c_void_p)

# cleanclip_status cleanclip_model_describe(const cleanclip_model *model, char *out_text,
#                                           size_t out_capacity, size_t *out_length);
model_describe = bind(
    "cleanclip_model_describe", c_status, c_void_p, c_char_p, c_size_t, c_size_t_p
)

# int64_t cleanclip_model_embed_dim(const cleanclip_model *model);
model_embed_dim = bind("cleanclip_model_embed_dim", c_int64, c_void_p)

# int64_t cleanclip_model_image_size(const cleanclip_model *model);
model_image_size = bind("cleanclip_model_image_size", c_int64, c_void_p)

# int64_t cleanclip_model_context_length(const cleanclip_model *model);
model_context_length = bind("cleanclip_model_context_length", c_int64, c_void_p)

# int64_t cleanclip_model_vocab_size(const cleanclip_model *model);
model_vocab_size = bind("cleanclip_model_vocab_size", c_int64, c_void_p)

# float cleanclip_model_logit_scale(const cleanclip_model *model);
model_logit_scale = bind("cleanclip_model_logit_scale", c_float, c_void_p)


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
parameter_info_init = bind_init("cleanclip_parameter_info_init", ParameterInfo)

# int64_t cleanclip_model_parameter_count(const cleanclip_model *model);
model_parameter_count = bind("cleanclip_model_parameter_count", c_int64, c_void_p)

# cleanclip_status cleanclip_model_parameter_info(const cleanclip_model *model, int64_t index,
#                                                 cleanclip_parameter_info *out_info);
model_parameter_info = bind(
    "cleanclip_model_parameter_info", c_status, c_void_p, c_int64, POINTER(ParameterInfo)
)

# cleanclip_status cleanclip_model_find_parameter(const cleanclip_model *model, const char *name,
#                                                 int64_t *out_index);
model_find_parameter = bind(
    "cleanclip_model_find_parameter", c_status, c_void_p, c_char_p, c_int64_p
)

# cleanclip_status cleanclip_model_read_parameter(const cleanclip_model *model, const char *name,
#                                                 float *out_values, size_t out_capacity);
model_read_parameter = bind(
    "cleanclip_model_read_parameter", c_status, c_void_p, c_char_p, c_float_p, c_size_t
)

# cleanclip_status cleanclip_model_write_parameter(cleanclip_model *model, const char *name,
#                                                  const float *values, size_t count);
model_write_parameter = bind(
    "cleanclip_model_write_parameter", c_status, c_void_p, c_char_p, c_float_p, c_size_t
)
