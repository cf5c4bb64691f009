"""Threads, precision, memory and callbacks: ``cleanclip/computing.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import CFUNCTYPE, c_char_p, c_int32, c_int64, c_void_p

from .binding import bind
from .status import c_status

# cleanclip_status cleanclip_set_num_threads(int32_t count);
set_num_threads = bind("cleanclip_set_num_threads", c_status, c_int32)

# int32_t cleanclip_num_threads(void);
num_threads = bind("cleanclip_num_threads", c_int32)

PRECISION_AUTO = 0
PRECISION_F32 = 1
PRECISION_BF16 = 2

# int64_t cleanclip_memory_in_use(void);
memory_in_use = bind("cleanclip_memory_in_use", c_int64)

# int64_t cleanclip_memory_peak(void);
memory_peak = bind("cleanclip_memory_peak", c_int64)

# void cleanclip_memory_trim(void);
memory_trim = bind("cleanclip_memory_trim", None)

SEVERITY_INFO = 20
SEVERITY_WARNING = 30

# typedef void (*cleanclip_message_callback)(int32_t severity, const char *message,
#                                            void *user_data);
MessageCallback = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)

# void cleanclip_set_message_callback(cleanclip_message_callback callback, void *user_data);
set_message_callback = bind("cleanclip_set_message_callback", None, MessageCallback, c_void_p)

# typedef int32_t (*cleanclip_poll_callback)(void *user_data);
PollCallback = CFUNCTYPE(c_int32, c_void_p)

# void cleanclip_set_poll_callback(cleanclip_poll_callback callback, void *user_data);
set_poll_callback = bind("cleanclip_set_poll_callback", None, PollCallback, c_void_p)

# typedef int32_t (*cleanclip_count_callback)(int64_t done, int64_t total, void *user_data);
CountCallback = CFUNCTYPE(c_int32, c_int64, c_int64, c_void_p)
