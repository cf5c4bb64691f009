"""Reports of a run: ``cleanclip/report.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char_p, c_size_t, c_void_p

from .binding import bind, bind_init
from .status import c_status


class ReportOptions(Structure):
    """``cleanclip_report_options``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("title", c_char_p),
        ("subtitle", c_char_p),
        ("model", c_void_p),
        ("before", c_void_p),
        ("after", c_void_p),
        ("control", c_void_p),
        ("history", c_void_p),
        ("control_history", c_void_p),
    ]


# void cleanclip_report_options_init(cleanclip_report_options *options, size_t struct_size);
report_options_init = bind_init("cleanclip_report_options_init", ReportOptions)

# cleanclip_status cleanclip_report_write(const cleanclip_report_options *options,
#                                         const char *path);
report_write = bind("cleanclip_report_write", c_status, POINTER(ReportOptions), c_char_p)
