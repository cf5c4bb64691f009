"""The modules that mirror the headers, against the headers."""

import ctypes
import re
import subprocess
import shutil

import pytest
from conftest import ROOT

from cleanclip import _capi

# The topics, in the order that the header includes them.
TOPICS = re.findall(r'#include "cleanclip/(.*)\.h"', (ROOT / "include/cleanclip.h").read_text())
HEADER = "".join((ROOT / f"include/cleanclip/{topic}.h").read_text() for topic in TOPICS)
FOLDER = ROOT / "bindings/python/cleanclip/_capi"
SOURCE = "".join((FOLDER / f"{topic}.py").read_text() for topic in TOPICS)
STRUCTS = {
    "cleanclip_model_options": _capi.ModelOptions,
    "cleanclip_parameter_info": _capi.ParameterInfo,
    "cleanclip_encode_options": _capi.EncodeOptions,
    "cleanclip_dataset_options": _capi.DatasetOptions,
    "cleanclip_pair": _capi.Pair,
    "cleanclip_communicator": _capi.Communicator,
    "cleanclip_sanitize_options": _capi.SanitizeOptions,
    "cleanclip_progress": _capi.Progress,
    "cleanclip_trigger_options": _capi.TriggerOptions,
    "cleanclip_poison_options": _capi.PoisonOptions,
    "cleanclip_evaluate_options": _capi.EvaluateOptions,
    "cleanclip_rate": _capi.Rate,
    "cleanclip_scores": _capi.Scores,
    "cleanclip_report_options": _capi.ReportOptions,
    "cleanclip_check_model_options": _capi.CheckModelOptions,
    "cleanclip_check_data_options": _capi.CheckDataOptions,
    "cleanclip_finding": _capi.Finding,
}


def declarations():
    """The declarations of the header, comments and macros taken out."""
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
    # What has a successor is left to programs in C.
    text = re.sub(r"^CLEANCLIP_DEPRECATED\(.*?\)\nCLEANCLIP_API.*?;", "", text, flags=re.S | re.M)
    return re.findall(r"^CLEANCLIP_API\s+(.*?);", text, flags=re.S | re.M)


def squeezed(text):
    return re.sub(r"\s+", " ", text).replace("( ", "(").strip()


def test_every_function_is_bound_in_order():
    expected = [re.search(r"(cleanclip_\w+)\(", text).group(1) for text in declarations()]
    bound = re.findall(r'\bbind(?:_init)?\(\s*"(cleanclip_\w+)"', SOURCE)
    assert bound == expected


def test_modules_are_the_topics():
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == {*TOPICS, "binding", "__init__"}
    # A function that has its module's name is what the package exports.
    for name in re.findall(r"^(\w+) = bind(?:_init)?\(", SOURCE, re.M):
        assert callable(getattr(_capi, name)), name


def test_every_declaration_is_quoted():
    comments = squeezed(re.sub(r"^# ?", "", "\n".join(
        line for line in SOURCE.splitlines() if line.startswith("#")), flags=re.M))
    for declaration in declarations():
        assert squeezed(declaration) + ";" in comments


def test_number_of_arguments():
    for declaration in declarations():
        name, arguments = re.match(r".*?cleanclip_(\w+)\((.*)\)", squeezed(declaration)).groups()
        count = 0 if arguments == "void" else arguments.count(",") + 1
        assert len(getattr(_capi, name).argtypes) == count, name


def test_constants():
    values = dict(re.findall(r"CLEANCLIP_(\w+) = (\d+)", HEADER))
    assert len(values) >= 18
    for name, value in values.items():
        assert getattr(_capi, name) == int(value), name


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_structs_are_laid_out_as_in_c(tmp_path):
    lines = ["#include <cleanclip.h>", "#include <stdio.h>", "int main(void) {"]
    for name, structure in STRUCTS.items():
        lines.append(f'printf("{name} sizeof %zu\\n", sizeof({name}));')
        for field, _ in structure._fields_:
            lines.append(f'printf("{name} {field} %zu\\n", offsetof({name}, {field}));')
    lines += ["return 0;", "}"]
    source = tmp_path / "layout.c"
    source.write_text("\n".join(lines))
    subprocess.run(
        ["gcc", "-I", str(ROOT / "include"), str(source), "-o", str(tmp_path / "layout")], check=True
    )
    output = subprocess.run([str(tmp_path / "layout")], check=True, capture_output=True, text=True)
    for line in output.stdout.splitlines():
        name, field, number = line.split()
        structure = STRUCTS[name]
        mine = ctypes.sizeof(structure) if field == "sizeof" else getattr(structure, field).offset
        assert mine == int(number), line
    # And no member of the header is missing here.
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", text, flags=re.S):
        members = re.findall(r"(\w+)(?:\[\d\])?;", body)
        assert members == [field for field, _ in STRUCTS[name]._fields_], name


def test_every_parameter_is_documented():
    functions = re.findall(
        r"/\*\*((?:(?!\*/).)*)\*/\s*CLEANCLIP_API ((?:const )?\w+) (?:\*)?(cleanclip_\w+)\(([^)]*)\);", HEADER,
        flags=re.S)
    assert len(functions) == len(declarations())
    for comment, result, name, arguments in functions:
        if "\n" not in comment:
            # One sentence says it all of an accessor, an initialiser or a destructor.
            assert result != "cleanclip_status", name
            continue
        for argument in arguments.split(","):
            argument = re.findall(r"\w+", argument)[-1]
            assert argument == "void" or f"] {argument} " in comment, f"{name}: {argument}"
        assert result != "cleanclip_status" or "@return" in comment, name
