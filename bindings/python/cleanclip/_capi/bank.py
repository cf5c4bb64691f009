"""Checks of inputs by a bank of clean ones: ``cleanclip/bank.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import c_char_p, c_double, c_int64, c_void_p

from .binding import bind, c_char_p_p, c_float_p, c_int32_p, c_int64_p, c_void_p_p
from .status import c_status

# cleanclip_status cleanclip_bank_create(const float *image_features, int64_t count,
#                                        int64_t embed_dim, cleanclip_bank **out_bank);
bank_create = bind(
    "cleanclip_bank_create", c_status, c_float_p, c_int64, c_int64, c_void_p_p
)

# cleanclip_status cleanclip_bank_set_model(cleanclip_bank *bank, const cleanclip_model *model);
bank_set_model = bind("cleanclip_bank_set_model", c_status, c_void_p, c_void_p)

# cleanclip_status cleanclip_bank_extend(cleanclip_bank *bank, const float *image_features,
#                                        int64_t count, int64_t embed_dim, int64_t *out_added);
bank_extend = bind(
    "cleanclip_bank_extend", c_status, c_void_p, c_float_p, c_int64, c_int64, c_int64_p
)

# cleanclip_status cleanclip_bank_add_classes(cleanclip_bank *bank, const cleanclip_model *model,
#                                             const cleanclip_tokenizer *tokenizer,
#                                             const char *const *classes, int64_t class_count,
#                                             const char *const *templates,
#                                             int64_t template_count);
bank_add_classes = bind(
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
bank_load = bind("cleanclip_bank_load", c_status, c_char_p, c_void_p_p)

# cleanclip_status cleanclip_bank_save(const cleanclip_bank *bank, const char *path);
bank_save = bind("cleanclip_bank_save", c_status, c_void_p, c_char_p)

# void cleanclip_bank_free(cleanclip_bank *bank);
bank_free = bind("cleanclip_bank_free", None, c_void_p)

# cleanclip_status cleanclip_check_inputs(const cleanclip_bank *bank, const float *image_features,
#                                         int64_t count, int64_t embed_dim,
#                                         double false_alarm_rate, float *out_scores,
#                                         int32_t *out_flags);
check_inputs = bind(
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

# cleanclip_status cleanclip_check_input_set(const cleanclip_bank *bank,
#                                            const float *image_features, int64_t count,
#                                            int64_t embed_dim, double false_alarm_rate,
#                                            cleanclip_check **out_check);
check_input_set = bind(
    "cleanclip_check_input_set",
    c_status,
    c_void_p,
    c_float_p,
    c_int64,
    c_int64,
    c_double,
    c_void_p_p,
)
