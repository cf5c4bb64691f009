"""Programs of several processes, with torch.distributed (gloo) and mpi4py; skipped without them."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import cleanclip
import rank_program

PROGRAM = pathlib.Path(rank_program.__file__)


@pytest.fixture
def folder(tmp_path, vocabulary):
    shutil.copy(vocabulary, tmp_path / "vocabulary.txt")
    return tmp_path


def environment():
    paths = os.pathsep.join([str(PROGRAM.parents[2] / "bindings/python"), *sys.path])
    return {
        **os.environ, "PYTHONPATH": paths, "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}


def run(kind, size, folder):
    """Run ranks to their end and return the results of those that left one."""
    for path in folder.glob("rank-*.json"):
        path.unlink()
    if kind == "gloo":
        pytest.importorskip("torch.distributed")
        meeting = folder / f"meeting-{time.monotonic_ns()}"
        processes = [
            subprocess.Popen(
                [sys.executable, PROGRAM, "gloo", meeting, str(rank), str(size), folder],
                env=environment())
            for rank in range(size)]
    else:
        if importlib.util.find_spec("mpi4py") is None or shutil.which("mpirun") is None:
            pytest.skip("no mpi4py or no mpirun: the communicator of mpi4py is not tested")
        processes = [subprocess.Popen(
            ["mpirun", "--oversubscribe", "-n", str(size), sys.executable, PROGRAM, "mpi", folder],
            env=environment())]
    victim = folder / "victim"
    for rank, process in enumerate(processes):
        # A rank that was stopped does not end by itself.
        if kind == "gloo" and victim.exists() and rank == int(victim.read_text()):
            continue
        process.wait(timeout=300)
    for process in processes:
        process.kill()
        process.wait()
    return {
        int(path.stem.split("-")[1]): json.loads(path.read_text())
        for path in folder.glob("rank-*.json")}


def expect_equal(results, size, folder, losses, weights):
    assert sorted(results) == list(range(size))
    for rank, result in results.items():
        np.testing.assert_allclose(result["losses"], losses, rtol=1e-5)
        actual = np.load(folder / f"weights-{rank}.npy")
        assert np.linalg.norm(actual - weights) <= 1e-5 * np.linalg.norm(weights)
        np.testing.assert_array_equal(actual, np.load(folder / "weights-0.npy"))


@pytest.mark.parametrize("kind", ["gloo", "mpi"])
def test_ranks_equal_one_process(kind, folder):
    losses, weights = rank_program.sanitize(None, folder)
    for size in (2, 4):
        results = run(kind, size, folder)
        expect_equal(results, size, folder, losses, weights)
        shutil.rmtree(folder / "state")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_lost_rank_of_gloo_ends_the_others_and_two_resume(number, folder):
    losses, weights = rank_program.sanitize(None, folder)
    (folder / "victim").write_text("2")
    (folder / "signal").write_text(str(int(number)))
    results = run("gloo", 4, folder)
    assert sorted(results) == [0, 1, 3]
    for result in results.values():
        assert "all ranks" in result["error"] or "of all 4 ranks" in result["error"]
        assert result["cause"] in ("RuntimeError", "DistBackendError")
    (folder / "victim").unlink()
    expect_equal(run("gloo", 2, folder), 2, folder, losses, weights)


def test_a_rank_that_hangs_under_mpi_is_named(folder):
    (folder / "victim").write_text("2")
    (folder / "signal").write_text(str(int(signal.SIGSTOP)))
    results = run("mpi", 4, folder)
    assert results and all("of rank 2" in result["error"] for result in results.values())


def test_torch_needs_a_process_group():
    pytest.importorskip("torch.distributed")
    with pytest.raises(RuntimeError, match="there is no process group; expected"):
        cleanclip.distributed.TorchCommunicator()
