"""Every example of examples/, compiled or run on drawn data; those of `make demo` run by themselves."""

import csv
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BUILD = ROOT / "build"
SIDE = 32
TINY = {
    "embed_dim": 32, "quick_gelu": True,
    "vision_cfg": {
        "image_size": SIDE, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {
        "context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
COMPILE = {
    ".c": ["gcc", "-std=c11", "-D_GNU_SOURCE"], ".cpp": ["g++", "-std=c++17", "-pedantic"]}


def environment(**more):
    paths = {
        "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "bindings/python"),
        "CLEANCLIP_LIBRARY": str(BUILD / "lib/libcleanclip.so"),
    }
    return {**os.environ, **paths, **more}


def run(*command, code=0, **more):
    result = subprocess.run(
        [str(part) for part in command], text=True, capture_output=True, timeout=300,
        env=environment(**more))
    assert result.returncode == code, f"{result.returncode}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with drawn data, and a tiny model that tells images apart."""
    folder = tmp_path_factory.mktemp("drawn")
    run("draw-scenes", folder, "--train", 256, "--finetune", 128, "--test", 64, "--size", SIDE)
    (folder / "tiny.json").write_text(json.dumps(TINY))
    run("cleanclip", "train", "--architecture", folder / "tiny.json", "--data", folder / "train.tar",
        "--epochs", 40, "--batch-size", 32, "--precision", "f32", "--quiet", "-o",
        folder / "clip.onnx")
    return folder


@pytest.fixture
def compiled(tmp_path):
    def compile(source):
        program = tmp_path / pathlib.Path(source).stem
        run(*COMPILE[pathlib.Path(source).suffix], "-Wall", "-Wextra", "-Werror",
            EXAMPLES / source, f"-I{ROOT / 'include'}", f"-I{ROOT / 'bindings/cpp'}",
            f"-L{BUILD / 'lib'}", "-lcleanclip", f"-Wl,-rpath,{BUILD / 'lib'}", "-lpthread",
            "-o", program)
        return program

    return compile


@pytest.mark.parametrize("source", ["c/sanitize.c", "cpp/sanitize.cpp"])
def test_the_whole_job(source, compiled, drawn, tmp_path):
    output = run(
        compiled(source), drawn / "clip.onnx", drawn / "finetune.tar", drawn / "test.csv",
        drawn / "classes.txt", drawn / "templates.txt", drawn / "trigger.png", "star",
        tmp_path / "clean.onnx")
    assert output.count("clean accuracy") == 2 and (tmp_path / "clean.onnx").exists()


def test_the_whole_job_in_python(drawn, tmp_path):
    output = run(
        sys.executable, EXAMPLES / "python/sanitize.py", drawn / "clip.onnx", drawn / "finetune.tar",
        tmp_path / "clean.onnx", "--test", drawn / "test.csv", "--classes", drawn / "classes.txt",
        "--trigger", drawn / "trigger.png", "--target", "star", "--epochs", 1, "--batch-size", 32)
    assert output.count("attack success") == 2
    assert (tmp_path / "clean.onnx.html").read_text().startswith("<!DOCTYPE html>")


def test_pairs_from_a_callback(compiled, drawn, tmp_path):
    output = run(compiled("cpp/callback.cpp"), drawn / "clip.onnx", tmp_path / "clean.onnx")
    assert output.startswith("wrote ") and (tmp_path / "clean.onnx").stat().st_size > 10_000


def test_cancel_from_another_thread(compiled, drawn):
    output = run(compiled("c/cancel.c"), drawn / "clip.onnx", drawn / "finetune.tar", 50)
    assert int(re.fullmatch(r"CLEANCLIP_CANCELLED after (\d+) steps\n", output).group(1)) >= 1


def test_cmake_project(drawn, tmp_path):
    if subprocess.run(["which", "cmake"], capture_output=True).returncode != 0:
        pytest.skip("no cmake: `scripts/setup.sh --package` installs it")
    run("cmake", "-S", EXAMPLES / "cpp", "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={BUILD}")
    run("cmake", "--build", tmp_path)
    run(tmp_path / "callback", drawn / "clip.onnx", tmp_path / "clean.onnx")


@pytest.mark.parametrize("missing, code", [(0, 0), (30, 3)])
def test_gate(missing, code, drawn, tmp_path):
    """Data of which much cannot be read is not clean, whatever the rest is."""
    rows = ["image,caption"] + [f"{path},a shape" for path in sorted((drawn / "test").iterdir())]
    rows += [f"absent-{index}.png,a shape" for index in range(missing)]
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    run(EXAMPLES / "ci/gate.sh", drawn / "clip.onnx", tmp_path / "pairs.csv", tmp_path / "reports",
        code=code, CHECK_MODEL_OPTIONS="--steps 100 --kinds additive patch --no-nouns --image-limit 32")
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "model.html", "data.html", "cleaned.txt"}


def test_gate_fails_where_there_is_no_verdict(drawn, tmp_path):
    run(EXAMPLES / "ci/gate.sh", drawn / "absent.onnx", drawn / "train.tar", tmp_path, code=66)


def test_serving(drawn, tmp_path):
    service = subprocess.Popen(
        [sys.executable, EXAMPLES / "python/serve.py", drawn / "clip.onnx", drawn / "classes.txt",
         "--clean", drawn / "test", "--port", "0"], text=True, stdout=subprocess.PIPE,
        env=environment())
    try:
        port = int(re.search(r":(\d+)/", service.stdout.readline()).group(1))

        def answer(body):
            connection = http.client.HTTPConnection("localhost", port, timeout=60)
            connection.request("POST", "/", body)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        image = next((drawn / "test").iterdir()).read_bytes()
        status, said = answer(image)
        assert status == 200 and said["trigger"] is False
        assert said["class"] in (drawn / "classes.txt").read_text().splitlines()
        status, said = answer(b"no image")
        assert status == 400 and "not an image" in said["error"]
    finally:
        service.kill()
        service.wait()


# The wheel of torchvision is built for CUDA: beside a PyTorch without it, the operators that it describes must
# be declared before OpenCLIP is imported.
DECLARE = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def test_openclip_module(drawn, tmp_path):
    torch = pytest.importorskip("torch")
    if subprocess.run([sys.executable, "-c", DECLARE + "import open_clip"]).returncode != 0:
        pytest.skip("no OpenCLIP")
    (tmp_path / "drawn-tiny.json").write_text(json.dumps(TINY))
    make = DECLARE + (
        "import sys, open_clip; open_clip.add_model_config(sys.argv[1])\n"
        "torch.save(open_clip.create_model('drawn-tiny').state_dict(), sys.argv[2])")
    run(sys.executable, "-c", make, tmp_path / "drawn-tiny.json", tmp_path / "weights.pt")
    example = DECLARE + "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    run(sys.executable, "-c", example, EXAMPLES / "python/sanitize_module.py",
        tmp_path / "drawn-tiny.json", tmp_path / "weights.pt", drawn / "finetune.tar",
        tmp_path / "clean.pt", "--epochs", 1, "--batch-size", 32)
    before = torch.load(tmp_path / "weights.pt", weights_only=True)
    after = torch.load(tmp_path / "clean.pt", weights_only=True)
    assert after.keys() == before.keys()
    assert not torch.equal(after["visual.proj"], before["visual.proj"])


def test_onnxruntime_features(drawn, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("PIL")
    images = sorted((drawn / "test").iterdir())[:3]
    output = run(
        sys.executable, EXAMPLES / "python/onnxruntime_features.py", drawn / "clip.onnx",
        drawn / "clip.onnx", *images)
    assert float(re.search(r"differ by (\S+) at most", output).group(1)) < 1e-4
    assert output.count("cosine of before and after 1.000") == 3


def test_notebook(drawn, tmp_path):
    """Runs the cells one after the other, as a notebook does, and shows what they end with."""
    notebook = json.loads((EXAMPLES / "notebook/check.ipynb").read_text())
    script = ["import ast"]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            script.append(f"CODE = {''.join(cell['source'])!r}")
            script.append(
                "tree = ast.parse(CODE)\n"
                "last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None\n"
                "exec(compile(tree, 'cell', 'exec'))\n"
                "value = eval(compile(ast.Expression(last.value), 'cell', 'eval')) if last else None\n"
                "print(type(value).__name__, len(getattr(value, '_repr_html_', lambda: '')() or ''))")
    (tmp_path / "cells.py").write_text("\n".join(script))
    output = subprocess.run(
        [sys.executable, "cells.py"], cwd=tmp_path, text=True, capture_output=True, timeout=300,
        env=environment(MODEL=str(drawn / "clip.onnx"), PAIRS=str(drawn / "train.tar"), STEPS="2"))
    assert output.returncode == 0, output.stderr
    shown = dict(line.split() for line in output.stdout.splitlines() if line.split()[1] != "0")
    assert {"Model", "ModelCheck", "DatasetCheck"} <= shown.keys()
    assert (tmp_path / "model.html").exists() and (tmp_path / "data.html").exists()


def test_every_example_is_named_in_the_list():
    listed = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.rglob("*"):
        if path.suffix in (".c", ".cpp", ".py", ".sh", ".ipynb"):
            assert f"`{path.relative_to(EXAMPLES)}`" in listed, path


def scores(drawn, tmp_path, *features):
    """The score of each pair of the drawn table, by its key."""
    table = tmp_path / "scores.csv"
    run("cleanclip", "check", "data", "--data", drawn / "test.csv", *features, "--scores", table,
        "--quiet")
    with table.open(newline="") as file:
        return {row["key"]: float(row["score"]) for row in csv.DictReader(file)}


def test_features_of_an_array_of_jobs(drawn, tmp_path):
    parts = tmp_path / "parts"
    for number in (1, 0, 1):
        run("bash", EXAMPLES / "jobs/embed-array.sh", drawn / "clip.onnx", drawn / "train.tar", parts,
            2, number)
    run("cleanclip", "check", "data", "--data", drawn / "train.tar", "--image-features", parts,
        "--scores", tmp_path / "joined.csv", "--quiet")
    run("cleanclip", "check", "data", drawn / "clip.onnx", "--data", drawn / "train.tar", "--scores",
        tmp_path / "whole.csv", "--quiet")
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_features_made_with_ray(drawn, tmp_path):
    pytest.importorskip("ray", reason="pip install 'ray[data]' to test the example of Ray")
    parts = tmp_path / "parts"
    output = run(
        sys.executable, EXAMPLES / "python/ray_features.py", drawn / "clip.onnx", drawn / "test.csv",
        parts, "--rows-a-part", 16)
    assert output.splitlines()[-1] == f"64 rows in {parts}"
    assert len(list(parts.glob("*.npy"))) >= 4
    whole = tmp_path / "whole.npy"
    run("cleanclip", "embed", drawn / "clip.onnx", "--images", drawn / "test.csv", "--no-normalize",
        "--quiet", "-o", whole)
    given, joined = (
        scores(drawn, tmp_path, "--image-features", source) for source in (whole, parts))
    # Features of other batches differ in rounding.
    assert joined == pytest.approx(given, rel=1e-3, abs=1e-3)
