"""The table of options, against the header, the library, the binding and the tool."""

import csv
import dataclasses
import inspect
import json
import math
import os
import pathlib
import re
import subprocess

import numpy as np
import pytest
from conftest import ROOT

import cleanclip
from cleanclip import _capi

ROWS = list(csv.DictReader((ROOT / "docs/options.csv").open()))
# Members of the structs that are no options of their own: sizes, and what belongs to another.
UNLISTED = {
    "struct_size", "reserved", "class_count", "template_count", "reference_count", "trigger_count",
    "tokenizer",
    "classes_path", "templates_path", "trusted_tokenizer", "embed_dim", "trusted_embed_dim",
    "trusted_image_features", "trusted_text_features", "pair_count", "class_embed_dim",
    "image_feature_file_count", "trusted_feature_file_count",
}
STRUCTS = {
    "sanitize": (_capi.SanitizeOptions, _capi.sanitize_options_init),
    "model": (_capi.ModelOptions, _capi.model_options_init),
    "dataset": (_capi.DatasetOptions, _capi.dataset_options_init),
    "encode": (_capi.EncodeOptions, _capi.encode_options_init),
    "trigger": (_capi.TriggerOptions, _capi.trigger_options_init),
    "poison": (_capi.PoisonOptions, _capi.poison_options_init),
    "evaluate": (_capi.EvaluateOptions, _capi.evaluate_options_init),
    "check_model": (_capi.CheckModelOptions, _capi.check_model_options_init),
    "check_data": (_capi.CheckDataOptions, _capi.check_data_options_init),
    "report": (_capi.ReportOptions, _capi.report_options_init),
}
FUNCTIONS = {
    "sanitize", "load", "Dataset", "Model.encode_image", "Model.encode_text", "Trigger", "poison",
    "evaluate", "evaluate_retrieval", "check_model", "check_data", "check_inputs", "write_report",
}
# Parameters that say on what a function works, not how.
SUBJECTS = {
    "self", "path", "model", "data", "images", "x", "texts", "text", "bank", "name", "sources",
    "output", "tokenizer", "progress", "trigger", "classes", "source", "architecture", "options",
}
COMMANDS = {
    "sanitize", "train", "embed", "evaluate", "evaluate-retrieval", "poison", "check.model",
    "check.data", "check.input", "report", "onnx-import", "optimize-trigger",
}
# Methods that take an option which the default method refuses.
METHODS = {"head_classes": "supervised", "max_accuracy_loss": "unlearn",
           "perturb_threshold": "par", "persistence_steps": "unlearn",
           "text": "unlearn", "attack_epsilon": "simclip",
           "attack_step_size": "simclip", "attack_steps": "simclip",
           "match_every": "roclip", "pool_fraction": "roclip",
           "safe_probability": "safeclip", "inmodal_epochs": "safeclip"}
# Options of all commands, and what a command works on.
SHARED = {
    "json", "quiet", "threads", "help", "version", "tokenizer", "output", "report", "gate", "data",
    "images",
}
PRECISIONS = {value: name for name, value in cleanclip._handle.PRECISIONS.items()}


def rows(column, place):
    return {row["name"]: row for row in ROWS if place in row[column].split()}


def header_members(struct):
    """The comments of a struct's members by their names."""
    text = "".join(path.read_text() for path in (ROOT / "include/cleanclip").glob("*.h"))
    body = re.search(rf"typedef struct cleanclip_{struct}_options {{(.*?)\n}}", text, re.S)[1]
    members = re.findall(r"(\w+);\s*/\*\*<(.*?)\*/", body, re.S)
    return {name: re.sub(r"\s+", " ", comment) for name, comment in members}


def same(row, value):
    """Whether a value of any layer is the default of the table."""
    default = row["default"]
    if value in (None, "") or (isinstance(value, (tuple, bytes)) and len(value) == 0):
        return default == "none"
    if row["type"] in ("integer", "number", "flag"):
        return default != "none" and math.isclose(float(value), float(default), rel_tol=1e-6)
    return str(value) == default


@pytest.mark.parametrize("struct", STRUCTS)
def test_members_of_the_header_are_those_of_the_table(struct):
    unlisted = UNLISTED - set(rows("c", struct)) if struct in ("sanitize", "poison") else UNLISTED
    members = {name for name in header_members(struct)} - unlisted
    assert members == set(rows("c", struct))


@pytest.mark.parametrize("struct", STRUCTS)
def test_the_header_names_the_defaults(struct):
    comments = header_members(struct)
    for name, row in rows("c", struct).items():
        comment, default = comments[name], row["default"]
        if default == "none":
            if row["type"] not in ("texts", "objects"):  # said where their count is
                assert "one by default" in comment, (name, comment)
        elif row["type"] == "choice":
            assert f"default CLEANCLIP_PRECISION_{default.upper()}" in comment, (name, comment)
        elif default:
            found = re.search(r'[Dd]efault "?([\w.-]+)"?', comment)
            assert found and same(row, found[1].rstrip(".")), (name, comment)


@pytest.mark.parametrize("struct", STRUCTS)
def test_the_library_writes_the_defaults(struct):
    options = _capi.initialised(*STRUCTS[struct])
    for name, row in rows("c", struct).items():
        value = getattr(options, name)
        if row["type"] == "choice":
            assert PRECISIONS[value] == row["default"], name
        elif row["type"] in ("integer", "number", "flag"):
            expected = 0 if row["default"] == "none" else float(row["default"])
            assert math.isclose(value, expected, rel_tol=1e-6), (name, value)
        else:  # NULL: none, or a text that the header names
            assert not value, name


def signature(function):
    target = cleanclip
    for part in function.split("."):
        target = getattr(target, part)
    return inspect.signature(target).parameters


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_keywords_of_python_are_those_of_the_table(function):
    listed = rows("python", function)
    parameters = signature(function)
    assert set(listed) - set(parameters) == set()
    assert set(parameters) - set(listed) - SUBJECTS - ({"position"} - set(listed)) == set()
    for name, row in listed.items():
        default = parameters[name].default
        if default is not inspect.Parameter.empty and name not in SUBJECTS:
            assert same(row, default), (name, default)


OBJECTS = {
    cleanclip.sanitize: cleanclip.SanitizeOptions,
    cleanclip.evaluate: cleanclip.EvaluateOptions,
    cleanclip.poison: cleanclip.PoisonOptions,
    cleanclip.check_model: cleanclip.CheckModelOptions,
    cleanclip.check_data: cleanclip.CheckDataOptions,
}


@pytest.mark.parametrize("function", OBJECTS, ids=lambda function: function.__name__)
def test_options_are_keywords_and_objects(function):
    kind = OBJECTS[function]
    fields = {field.name: field for field in dataclasses.fields(kind)}
    parameters = inspect.signature(function).parameters
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name, field in fields.items():
        assert parameters[name].default == field.default, name
    # Help says what each is.
    assert all(f"\n    {name}\n        " in kind.__doc__ for name in fields)
    # What type checkers see is declared a second time.
    keywords = inspect.getmodule(kind).__dict__[kind.__name__.replace("Options", "Keywords")]
    assert keywords.__total__ is False
    declared = {name: hint.__forward_arg__ for name, hint in keywords.__annotations__.items()}
    assert declared == {name: field.type for name, field in fields.items()}
    # Every field is a member of the struct in C, which none forgets.
    struct = STRUCTS[function.__name__][0]
    assert set(fields) <= {name for name, _ in struct._fields_}


def test_keywords_come_before_the_fields_of_options(model, pairs):
    options = cleanclip.SanitizeOptions(epochs=3, batch_size=8, precision="f32", seed=4)
    history = cleanclip.sanitize(model.copy(), pairs, options=options, epochs=1)
    settings = history.as_dict()["settings"]
    assert (settings["epochs"], settings["batch_size"], settings["seed"]) == (1, 8, "4")
    assert options.epochs == 3


def test_options_that_are_none_are_named(model, pairs):
    with pytest.raises(TypeError, match="no option 'epoch'; expected one of epochs, batch_size"):
        cleanclip.sanitize(model, pairs, epoch=1)
    with pytest.raises(TypeError, match="expected SanitizeOptions, got CheckDataOptions"):
        cleanclip.sanitize(model, pairs, options=cleanclip.CheckDataOptions())
    with pytest.raises(TypeError, match="epochs: expected a whole number, got 1.5"):
        cleanclip.sanitize(model, pairs, epochs=1.5)
    with pytest.raises(ValueError, match="epochs: expected a number of 64 bits"):
        cleanclip.sanitize(model, pairs, epochs=2**64 + 1)
    with pytest.raises(ValueError, match="max_accuracy_loss: expected more than 0, or None"):
        cleanclip.sanitize(model, pairs, method="unlearn", max_accuracy_loss=0)
    with pytest.raises(ValueError, match="strength: expected more than 0, or None"):
        cleanclip.Trigger("blended", strength=0)
    for rows in ([1, 2, 3], np.arange(3)):
        with pytest.raises(TypeError, match=f"suspects: expected a path, got {type(rows).__name__}"):
            cleanclip.sanitize(model, pairs, suspects=rows)


def test_flags_may_be_of_numpy(model, pairs):
    history = cleanclip.sanitize(
        model.copy(), pairs, batch_size=8, epochs=1, check_data=np.False_, seed=np.int64(4))
    settings = history.as_dict()["settings"]
    assert settings["check_data"] is False and settings["seed"] == "4"


def in_flags(text):
    """A message on options as the tool has it."""
    assert text.startswith("options: ")
    first, *rest = text.removeprefix("options: ").split(" ")
    return " ".join(
        "--" + word.replace("_", "-") if number == 0 or re.fullmatch("[a-z]+(_[a-z]+)+[,;:]?", word) else word
        for number, word in enumerate([first, *rest]))


def tool(name="cleanclip"):
    """A tool that was built with the library; its tests are skipped without it."""
    library = os.environ.get("CLEANCLIP_LIBRARY", str(ROOT / "build/lib/libcleanclip.so"))
    path = pathlib.Path(library).parent.parent / "bin" / name
    if not path.exists():
        pytest.skip(f"no tool in {path}")
    return path


def run_tool(*arguments, name="cleanclip"):
    return subprocess.run(
        [str(tool(name)), *map(str, arguments)], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def commands():
    """The options of each command, from the help that the tools write for machines."""
    result = {}

    def walk(command, path):
        result[".".join(path)] = command.get("arguments", [])
        for inner in command.get("subcommands", []):
            walk(inner, [*path, inner["commandName"]])

    dump = "--experimental-dump-help"
    walk(json.loads(run_tool(dump).stdout)["command"], [])
    walk(json.loads(run_tool(dump, name="onnx-import").stdout)["command"], ["onnx-import"])
    return result


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_options_of_the_tool_are_those_of_the_table(command, commands):
    found = {}
    for argument in commands[command]:
        names = [name["name"] for name in argument.get("names", []) if name["kind"] == "long"]
        if argument["kind"] != "positional" and not names[0].startswith("no-"):
            found[names[0].replace("-", "_")] = argument
    listed = rows("tool", command)
    assert set(listed) - set(found) == set()
    assert set(found) - set(listed) - SHARED == ({"texts"} if command == "embed" else set())
    for name, row in listed.items():
        default = found[name].get("defaultValue")
        if row["type"] == "flag":
            default = 1 if default == f"--{name.replace('_', '-')}" else 0
        if row["default"]:
            assert same(row, default), (name, default)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_says_which_values_are_taken(command, commands):
    help_of = {name["name"].replace("-", "_"): argument.get("abstract", "")
               for argument in commands[command] for name in argument.get("names", [])}
    for name, row in rows("tool", command).items():
        assert row["range"] in re.sub(r"\s+", " ", help_of[name]), (name, help_of[name])


def beyond(row):
    """Values outside of a range."""
    if row["range"] == "a number from 0":
        return [-1, math.inf]
    low, high = re.search(r"([\d.]+)(?: to |, at most |, less than )([\d.]+)", row["range"]).groups()
    integer = row["type"] == "integer"
    strict = not integer
    values = [float(low) - (0 if strict else 1), float(high) + 1]
    values = [int(value) if integer else value for value in values]
    return [value for value in values if row["default"] != "none" or value != 0]


@pytest.mark.parametrize("struct", ["sanitize", "encode", "poison", "evaluate", "check_model",
                                    "check_data"])
def test_values_out_of_range_are_named_alike(struct, model, pairs, vocabulary, tmp_path):
    cleanclip.poison(pairs, "sig", tmp_path / "set.csv", target="red", count=1, image_size=32)
    (tmp_path / "classes.txt").write_text("red\ngreen\nblue\ngrey\n")
    (tmp_path / "texts.txt").write_text("a box\n")
    model.save(tmp_path / "model.safetensors")
    model_arguments = [tmp_path / "model.safetensors", "--tokenizer", vocabulary]
    data = ["--data", tmp_path / "set.csv"]
    calls = {
        "sanitize": (
            lambda **given: cleanclip.sanitize(
                model, pairs, **{**dict(method=method, batch_size=8), **given}),
            ["sanitize", *model_arguments, *data, "-o", tmp_path / "out.safetensors"]),
        "encode": (
            lambda **given: model.encode_text(["a box"], **given),
            ["embed", *model_arguments, "--texts", tmp_path / "texts.txt", "-o", tmp_path / "x.npy"]),
        "poison": (
            lambda **given: cleanclip.poison(
                pairs, "sig", tmp_path / "again.csv", target="red", **given),
            ["poison", *data, "--trigger", "sig", "--target", "red", "-o", tmp_path / "again.csv"]),
        "evaluate": (
            lambda **given: cleanclip.evaluate(
                model, tmp_path / "labels.csv", ["red", "blue"], **given),
            ["evaluate", *model_arguments, "--data", tmp_path / "labels.csv", "--classes",
             tmp_path / "classes.txt"]),
        "check_model": (
            lambda **given: cleanclip.check_model(model, nouns=False, **given),
            ["check", "model", *model_arguments, "--no-nouns"]),
        "check_data": (
            lambda **given: cleanclip.check_data(model, pairs, **given),
            ["check", "data", model_arguments[0], *data]),
    }
    (tmp_path / "labels.csv").write_text("image,label\nset-images/0000000.png,0\n")
    call, command = calls[struct]
    for name, row in rows("c", struct).items():
        if not row["range"]:
            continue
        method = METHODS.get(name, "cleanclip")
        chosen = ["--method", method] if struct == "sanitize" else []
        if name == "save_every":
            chosen += ["--state-directory", tmp_path / "state"]
        for value in beyond(row):
            text = f"options: {name} is out of range; expected {row['range']}, got "
            with pytest.raises(cleanclip.InvalidArgumentError, match=re.escape(text)) as raised:
                call(**{name: value})
            if name == "memory_budget" and value < 1:
                continue  # the tool reads sizes such as 8G, none of which is negative
            result = run_tool(*command, *chosen, f"--{name.replace('_', '-')}={value}")
            assert result.returncode == 64, (name, value, result.stderr)
            assert in_flags(str(raised.value)) in result.stderr, (name, value)


def test_combinations_without_effect_are_named_alike(model, pairs, vocabulary, tmp_path):
    cleanclip.poison(pairs, "sig", tmp_path / "set.csv", target="red", count=1, image_size=32)
    model.save(tmp_path / "model.safetensors")
    command = ["sanitize", tmp_path / "model.safetensors", "--tokenizer", vocabulary, "--data",
               tmp_path / "set.csv", "-o", tmp_path / "out.safetensors"]
    for given, text in (
        (dict(method="supervised", inmodal_weight=0.5), "inmodal_weight has no effect"),
        (dict(head_path="head.safetensors"), "head_path has no effect with method cleanclip"),
        (dict(resume=True), "resume has no effect without state_directory"),
    ):
        with pytest.raises(cleanclip.InvalidArgumentError, match=text) as raised:
            cleanclip.sanitize(model, pairs, batch_size=8, **given)
        arguments = [f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
                     for name, value in given.items()]
        result = run_tool(*command, *arguments)
        assert result.returncode == 64 and in_flags(str(raised.value)) in result.stderr, result.stderr
