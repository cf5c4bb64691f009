"""Status codes and the text of the last failure: ``cleanclip/status.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import c_char_p, c_uint32

from .binding import bind

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
status_name = bind("cleanclip_status_name", c_char_p, c_status)

# const char *cleanclip_last_error(void);
last_error = bind("cleanclip_last_error", c_char_p)
