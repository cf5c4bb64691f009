"""One rank of the tests of distributed programs: sanitizes coloured images and prints what came of it.

    rank_program.py gloo RENDEZVOUS RANK SIZE FOLDER    or    mpirun -n SIZE rank_program.py mpi FOLDER

FOLDER has vocabulary.txt, and gets a file for each rank: losses and weights, or the error. Files tell ranks
what to do: ``victim`` holds a rank that stops or dies in step 5 by the signal in ``signal``.
"""

import datetime
import json
import os
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from conftest import TINY, striped_pairs  # noqa: E402

import cleanclip  # noqa: E402


def sanitize(communicator, folder):
    model = cleanclip.create(TINY, seed=1, tokenizer=folder / "vocabulary.txt")
    rank = 0 if communicator is None else communicator.rank
    victim = folder / "victim"

    def progress(step):
        if step.step == 5 and victim.exists() and int(victim.read_text()) == rank:
            os.kill(os.getpid(), int((folder / "signal").read_text()))

    history = cleanclip.sanitize(
        model, striped_pairs(), communicator=communicator, progress=progress, epochs=3, batch_size=8,
        warmup_steps=2, learning_rate=1e-4, precision="f32",
        state_directory=folder / "state" if communicator is not None and rank == 0 else None,
        save_every=2, resume=rank == 0 and (folder / "state").exists())
    values = [
        value.ravel() for name, value in model.state_dict().items()
        if not name.endswith("in_proj_bias")]  # the keys' have no gradient but rounding errors
    return history.losses, np.concatenate(values)


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[-1])
    if kind == "gloo":
        import torch.distributed as distributed

        distributed.init_process_group(
            "gloo", init_method=f"file://{sys.argv[2]}", rank=int(sys.argv[3]),
            world_size=int(sys.argv[4]), timeout=datetime.timedelta(seconds=20))
        ranks = cleanclip.distributed.TorchCommunicator()
    else:
        ranks = cleanclip.distributed.MPICommunicator(timeout=20)
    cleanclip.set_num_threads(1)
    result = {}
    try:
        losses, weights = sanitize(ranks, folder)
        result["losses"] = losses
        np.save(folder / f"weights-{ranks.rank}.npy", weights)
    except cleanclip.CleanCLIPError as error:
        result["error"] = str(error)
        result["cause"] = type(error.__cause__).__name__
    (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(result))
    if "error" in result:
        os._exit(3)  # the others may wait for this rank in what ends a program


if __name__ == "__main__":
    main()
