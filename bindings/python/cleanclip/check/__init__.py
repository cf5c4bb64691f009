"""Poison checks of a checkpoint, of a dataset, and of images: a module for each."""

from .data import (
    CheckDataKeywords as CheckDataKeywords,
    CheckDataOptions as CheckDataOptions,
    DatasetCheck as DatasetCheck,
    DatasetCheckFields as DatasetCheckFields,
    check_data as check_data,
)
from .input import (
    Bank as Bank,
    InputFindings as InputFindings,
    InputSetCheck as InputSetCheck,
    InputSetFields as InputSetFields,
    check_input_set as check_input_set,
    check_inputs as check_inputs,
)
from .model import (
    CheckModelKeywords as CheckModelKeywords,
    CheckModelOptions as CheckModelOptions,
    Finding as Finding,
    ModelCheck as ModelCheck,
    ModelCheckFields as ModelCheckFields,
    check_model as check_model,
)
from .result import Check as Check
