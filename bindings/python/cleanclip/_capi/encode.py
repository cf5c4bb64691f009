"""Features of images and texts: ``cleanclip/encode.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_int32, c_int64, c_size_t, c_void_p

from .binding import bind, bind_init, c_float_p, c_int32_p, c_uint8_p, c_char_p_p
from .computing import CountCallback
from .status import c_status


class EncodeOptions(Structure):
    """``cleanclip_encode_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("batch_size", c_int64),
        ("normalize", c_int32),
        ("precision", c_int32),
    ]


# void cleanclip_encode_options_init(cleanclip_encode_options *options, size_t struct_size);
encode_options_init = bind_init("cleanclip_encode_options_init", EncodeOptions)

# cleanclip_status cleanclip_model_encode_images_f32(
#     const cleanclip_model *model, const float *pixels, int64_t count, int64_t height,
#     int64_t width, const cleanclip_encode_options *options, float *out_features,
#     size_t out_capacity);
model_encode_images_f32 = bind(
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
model_encode_images_u8 = bind(
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
model_encode_image_files = bind(
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
model_encode_image_inputs = bind(
    "cleanclip_model_encode_image_inputs",
    c_status,
    c_void_p,
    c_float_p,
    c_int64,
    POINTER(EncodeOptions),
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_dataset(
#     const cleanclip_model *model, const cleanclip_dataset *dataset,
#     const cleanclip_encode_options *options, cleanclip_count_callback callback, void *user_data,
#     float *out_features, size_t out_capacity);
model_encode_dataset = bind(
    "cleanclip_model_encode_dataset",
    c_status,
    c_void_p,
    c_void_p,
    POINTER(EncodeOptions),
    CountCallback,
    c_void_p,
    c_float_p,
    c_size_t,
)

# cleanclip_status cleanclip_model_encode_texts(
#     const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
#     const char *const *texts, int64_t count, const cleanclip_encode_options *options,
#     float *out_features, size_t out_capacity);
model_encode_texts = bind(
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
model_encode_tokens = bind(
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
