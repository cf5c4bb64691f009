"""Communicators: ``cleanclip/communicator.h``, one to one and in its order."""

from __future__ import annotations

from ctypes import CFUNCTYPE, Structure, c_char_p, c_int32, c_int64, c_size_t, c_void_p

from .binding import bind_init

# typedef int32_t (*cleanclip_all_reduce_callback)(float *values, int64_t count, void *user_data);
AllReduceCallback = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p)

# typedef int32_t (*cleanclip_all_gather_callback)(const void *bytes, int64_t byte_count,
#                                                  void *all_bytes, void *user_data);
AllGatherCallback = CFUNCTYPE(c_int32, c_void_p, c_int64, c_void_p, c_void_p)

# typedef int32_t (*cleanclip_broadcast_callback)(void *bytes, int64_t byte_count, int32_t root,
#                                                 void *user_data);
BroadcastCallback = CFUNCTYPE(c_int32, c_void_p, c_int64, c_int32, c_void_p)


class Communicator(Structure):
    """``cleanclip_communicator``"""

    _fields_ = [
        ("struct_size", c_size_t),
        ("all_reduce", AllReduceCallback),
        ("all_gather", AllGatherCallback),
        ("broadcast", BroadcastCallback),
        ("user_data", c_void_p),
        ("problem", c_char_p),
        ("rank", c_int32),
        ("size", c_int32),
    ]


# void cleanclip_communicator_init(cleanclip_communicator *communicator, size_t struct_size);
communicator_init = bind_init("cleanclip_communicator_init", Communicator)
