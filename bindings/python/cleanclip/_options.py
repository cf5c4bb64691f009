"""Options: dataclasses whose fields are keywords of a function and members of a struct in C."""

from __future__ import annotations

import ctypes
import dataclasses
import inspect
import operator
import os
from typing import Any, Callable, Mapping, Optional, Type, TypeVar

import numpy as np

from . import _capi
from ._handle import path_bytes, precision_value, preprocessing_bytes, text_bytes

Options = TypeVar("Options")
Function = TypeVar("Function", bound=Callable[..., Any])

_SIGNED = (ctypes.c_int32, ctypes.c_int64)
_FLOATING = (ctypes.c_float, ctypes.c_double)


def takes(kind: Type[Any]) -> Callable[[Function], Function]:
    """Name the fields of a dataclass in the signature of a function that ends with ``**keywords``.

    Help, notebooks and ``inspect.signature`` then show every option with its default.
    """

    def decorated(function: Function) -> Function:
        signature = inspect.signature(function)
        own = list(signature.parameters.values())[:-1]
        fields = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=field.type,
            )
            for field in dataclasses.fields(kind)
        ]
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=own + fields
        )
        return function

    return decorated


def chosen(
    kind: Type[Options], options: Optional[Options], keywords: Mapping[str, Any], function: str
) -> Options:
    """Return options, with keywords in the place of their fields."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in keywords:
        if name not in names:
            raise TypeError(
                f"{function}() has no option {name!r}; expected one of {', '.join(names)}"
            )
    if options is not None and not isinstance(options, kind):
        raise TypeError(
            f"{function}(): options: expected {kind.__name__}, got {type(options).__name__}"
        )
    given = kind() if options is None else options
    return dataclasses.replace(given, **keywords)  # type: ignore[type-var]


def native(structure: Type[ctypes.Structure], init: Callable[..., Any], options: Any) -> Any:
    """Return a struct with the library's defaults and the fields of a dataclass."""
    struct = _capi.initialised(structure, init)
    types = dict(structure._fields_)  # type: ignore[arg-type]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value is None and field.default is None:
            continue  # the library's default: none
        if field.default is None and isinstance(value, (int, float, np.number)) and value == 0:
            # In C, 0 stands for none, which callers here do not say it with.
            raise ValueError(f"{field.name}: expected more than 0, or None for none, got 0")
        setattr(struct, field.name, _member(field.name, value, types[field.name]))
    return struct


def _member(name: str, value: Any, kind: Any) -> Any:
    """Convert a value to a member of a struct."""
    if name == "precision":
        return precision_value(value)
    if name == "preprocessing":
        return preprocessing_bytes(value)
    if kind is ctypes.c_char_p:
        return path_bytes(value, name)  # the only texts among the fields
    if isinstance(value, np.bool_):
        value = bool(value)
    try:
        if kind in _FLOATING:
            return float(value)
        number = operator.index(value)
    except (TypeError, ValueError):
        expected = "a number" if kind in _FLOATING else "a whole number"
        raise TypeError(f"{name}: expected {expected}, got {value!r}") from None
    if kind is ctypes.c_uint64:
        return number & (2**64 - 1)  # seeds, of which negative ones are others
    bits = 8 * ctypes.sizeof(kind)
    if kind in _SIGNED and not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(f"{name}: expected a number of {bits} bits, got {number}")
    return number
