"""Tokenizers: ``cleanclip/tokenizer.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import c_char_p, c_int64, c_size_t, c_void_p

from .binding import bind, c_int32_p, c_char_p_p, c_void_p_p
from .status import c_status

# cleanclip_status cleanclip_tokenizer_load(const char *path,
#                                           cleanclip_tokenizer **out_tokenizer);
tokenizer_load = bind("cleanclip_tokenizer_load", c_status, c_char_p, c_void_p_p)

# cleanclip_status cleanclip_tokenizer_find(const char *model_path,
#                                           cleanclip_tokenizer **out_tokenizer);
tokenizer_find = bind("cleanclip_tokenizer_find", c_status, c_char_p, c_void_p_p)

# void cleanclip_tokenizer_free(cleanclip_tokenizer *tokenizer);
tokenizer_free = bind("cleanclip_tokenizer_free", None, c_void_p)

# int64_t cleanclip_tokenizer_vocab_size(const cleanclip_tokenizer *tokenizer);
tokenizer_vocab_size = bind("cleanclip_tokenizer_vocab_size", c_int64, c_void_p)

# cleanclip_status cleanclip_tokenizer_encode(const cleanclip_tokenizer *tokenizer,
#                                             const char *const *texts, int64_t count,
#                                             int64_t context_length, int32_t *out_ids,
#                                             size_t out_capacity);
tokenizer_encode = bind(
    "cleanclip_tokenizer_encode",
    c_status,
    c_void_p,
    c_char_p_p,
    c_int64,
    c_int64,
    c_int32_p,
    c_size_t,
)
