"""Version of the library: ``cleanclip/version.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import c_char_p, c_uint32

from .binding import bind

# uint32_t cleanclip_version_number(void);
version_number = bind("cleanclip_version_number", c_uint32)

# const char *cleanclip_version(void);
version = bind("cleanclip_version", c_char_p)
