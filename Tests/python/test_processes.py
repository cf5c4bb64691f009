"""Processes that are forked and programs that set nothing: no environment variables."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, TINY, striped_image

import cleanclip

WORK = f"""
import numpy as np
import cleanclip
model = cleanclip.create({TINY!r}, seed=1)
print(float(model.encode_image(np.full((2, 3, 32, 32), 0.25, np.float32))[0, 0]))
"""


class Encoding:
    """A PyTorch dataset whose rows are computed by the library, in the worker's process."""

    def __init__(self, model):
        self.model = model

    def __len__(self):
        return 12

    def __getitem__(self, index):
        features = self.model.encode_image(striped_image(index)[0])
        return os.getpid(), features[0]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_encode(model, torch, method):
    expected = model.encode_image([striped_image(i)[0] for i in range(12)])
    if method == "spawn":  # a model does not cross processes by itself
        with pytest.raises(TypeError, match="cannot be pickled"):
            list(torch.utils.data.DataLoader(
                Encoding(model), num_workers=2, multiprocessing_context=method))
        return
    loader = torch.utils.data.DataLoader(
        Encoding(model), batch_size=3, num_workers=2, multiprocessing_context=method, timeout=60)
    pids, features = zip(*loader)
    assert len(set(np.concatenate(pids).tolist()) - {os.getpid()}) == 2
    np.testing.assert_allclose(np.concatenate(features), expected, atol=1e-6)


def test_a_child_trains_after_its_parent_did(model, pairs):
    options = dict(epochs=1, batch_size=8, precision="f32")
    cleanclip.sanitize(model, pairs, **options)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            history = cleanclip.sanitize(model, pairs, **options)
            os.write(writer, str(len(history.steps)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    answer = os.read(reader, 100)
    assert os.waitpid(child, 0)[1] == 0
    assert int(answer) == len(cleanclip.sanitize(model, pairs, **options).steps)


def test_a_program_needs_no_environment_variables():
    """Neither OMP_WAIT_POLICY nor CLEANCLIP_LIBRARY, which the other tests set."""
    bare = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("OMP_", "CLEANCLIP_", "GOMP_", "KMP_", "OPENBLAS_"))
    }
    bare["PYTHONPATH"] = str(ROOT / "bindings/python")
    bare["LD_LIBRARY_PATH"] = os.path.dirname(cleanclip.library_path)
    results = []
    for environment in (bare, dict(os.environ, PYTHONPATH=bare["PYTHONPATH"])):
        result = subprocess.run(
            [sys.executable, "-c", WORK], env=environment, capture_output=True, text=True,
            timeout=120)
        assert result.returncode == 0, result.stderr
        results.append(float(result.stdout))
    assert results[0] == pytest.approx(results[1], abs=1e-5)


LIMITED = f"""
import resource
import sys
import numpy as np
import cleanclip
free = int(sys.argv[1]) << 20
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + free, used + free))
cleanclip.set_num_threads(2)
try:
    model = cleanclip.create({TINY!r}, seed=1)
    print(model.encode_image(np.zeros((8, 3, 32, 32), np.float32)).shape)
except MemoryError as error:
    print(error)
"""


@pytest.mark.parametrize("mebibytes", [8, 64, 128, 192, 256, 320, 384, 448, 512, 2000])
def test_a_limit_of_the_address_space_raises(mebibytes):
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(mebibytes)], capture_output=True, text=True, timeout=60,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python")))
    assert result.returncode == 0, result.stderr
    if mebibytes < 2000:
        assert "(8, 16)" in result.stdout or "of address space for libraries" in result.stdout
    else:
        assert "(8, 16)" in result.stdout
