"""What the modules of the C interface share: binding of functions, pointers, options."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint8, c_void_p
from typing import Any, Callable

from .._library import library

c_float_p = POINTER(c_float)
c_int32_p = POINTER(c_int32)
c_int64_p = POINTER(c_int64)
c_uint8_p = POINTER(c_uint8)
c_size_t_p = POINTER(c_size_t)
c_char_p_p = POINTER(c_char_p)
c_void_p_p = POINTER(c_void_p)


def bind(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
    """A function of the library, with the types that the header declares."""
    function = getattr(library, name)
    function.restype = restype
    function.argtypes = list(argtypes)
    bound: Callable[..., Any] = function
    return bound


def bind_init(name: str, structure: Any) -> Callable[..., Any]:
    """A function that writes the defaults of a struct."""
    return bind(name, None, POINTER(structure), c_size_t)


def initialised(structure: Any, init: Callable[..., Any]) -> Any:
    """Return a new struct of a type after its ``_init`` function."""
    value = structure()
    init(ctypes.byref(value), ctypes.sizeof(structure))
    return value
