#!/usr/bin/env python3
"""Measures what ranks cost: time and bytes of a step, and of them of each collective.

    for n in 1 2 4; do mpirun -n $n python benchmarks/ranks.py --architecture ViT-B-32 --batch-size 8; done

Rank 0 prints a line of JSON. Each rank computes with --threads threads, so that ranks on one machine should be
given its cores in equal parts; the steps after the first are measured. With --bandwidth, sums take as long as by a ring
between machines of so many bytes a second: the rank sleeps, so that its processor computes meanwhile.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bindings/python"))

import cleanclip  # noqa: E402


class TimedCommunicator(cleanclip.distributed.MPICommunicator):
    """Counts calls, bytes that this rank hands over, and seconds, from the first to the last rank's end."""

    def __init__(self, bandwidth):
        super().__init__()
        self.bandwidth = bandwidth
        self.clear()

    def clear(self):
        names = ("all_reduce", "all_gather", "broadcast")
        self.counts = {name: {"calls": 0, "bytes": 0, "seconds": 0.0} for name in names}

    def _timed(self, name, array, function):
        begin = time.monotonic()
        function()
        count = self.counts[name]
        count["seconds"] += time.monotonic() - begin
        count["calls"] += 1
        count["bytes"] += array.nbytes

    def all_reduce(self, values):
        def reduce():
            begin = time.monotonic()
            super(TimedCommunicator, self).all_reduce(values)
            if self.bandwidth:
                seconds = 2 * (self.size - 1) / self.size * values.nbytes / self.bandwidth
                time.sleep(max(0, seconds - (time.monotonic() - begin)))

        self._timed("all_reduce", values, reduce)

    def all_gather(self, data, out):
        self._timed("all_gather", data, lambda: super(TimedCommunicator, self).all_gather(data, out))

    def broadcast(self, data, root):
        self._timed("broadcast", data, lambda: super(TimedCommunicator, self).broadcast(data, root))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="ViT-B-32")
    parser.add_argument("--batch-size", type=int, default=8, help="of all ranks together")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--bandwidth", type=float, help="bytes a second between ranks, for sums")
    arguments = parser.parse_args()
    cleanclip.set_num_threads(arguments.threads)
    ranks = TimedCommunicator(arguments.bandwidth)
    model = cleanclip.create(arguments.architecture, seed=0)
    random = np.random.default_rng(0)
    pairs = [
        (random.integers(0, 256, (64, 64, 3), dtype=np.uint8), f"a photo of thing number {index}")
        for index in range(arguments.batch_size * arguments.steps)]
    times = []

    def progress(step):
        if step.step == 1:
            ranks.clear()
        times.append(time.monotonic())

    cleanclip.sanitize(
        model, pairs, communicator=ranks, progress=progress, epochs=1,
        batch_size=arguments.batch_size, precision=arguments.precision)
    steps = arguments.steps - 1
    # The last exchange of the run is no part of a step; it is of 16 bytes.
    collectives = {
        name: {key: value / steps for key, value in count.items()}
        for name, count in ranks.counts.items() if count["calls"] > 0}
    if ranks.rank == 0:
        print(json.dumps({
            "ranks": ranks.size, "architecture": arguments.architecture,
            "batch_size": arguments.batch_size,
            "parameters": sum(value.size for value in model.state_dict().values()),
            "seconds_of_a_step": statistics.median(np.diff(times)), "collectives": collectives}))


if __name__ == "__main__":
    main()
