"""Communicators: ranks that are threads of this process, and what they raise."""

import threading

import numpy as np
import pytest
from conftest import TINY

import cleanclip

SHORT = dict(epochs=3, batch_size=8, warmup_steps=2, learning_rate=1e-4, precision="f32")


class Meeting:
    """What the ranks of a test share."""

    def __init__(self, size):
        self.barrier = threading.Barrier(size, timeout=120)
        self.parts = [None] * size


class ThreadCommunicator(cleanclip.Communicator):
    """A rank that is a thread."""

    def __init__(self, rank, size, meeting):
        super().__init__(rank, size)
        self.meeting = meeting

    def _all(self, part):
        self.meeting.barrier.wait()
        self.meeting.parts[self.rank] = part.copy()
        self.meeting.barrier.wait()
        return list(self.meeting.parts)

    def all_reduce(self, values):
        assert values.dtype == np.float32
        values[:] = np.sum(self._all(values), axis=0)

    def all_gather(self, data, out):
        assert data.dtype == np.uint8 and out.shape == (self.size, len(data))
        out[:] = self._all(data)

    def broadcast(self, data, root):
        data[:] = self._all(data)[root]


def run(size, work):
    """Call ``work(communicator)`` on each rank; return what it returned or raised."""
    meeting = Meeting(size)
    results = [None] * size

    def body(rank):
        try:
            results[rank] = work(ThreadCommunicator(rank, size, meeting))
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=body, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def weights(model):
    """All weights but biases of attention: a key's has no gradient but rounding errors, which AdamW
    blows up to the full rate."""
    return np.concatenate([
        value.ravel() for name, value in model.state_dict().items()
        if not name.endswith("in_proj_bias")])


@pytest.mark.parametrize("method", ["cleanclip", "supervised"])
def test_ranks_equal_one_process(method, vocabulary, pairs):
    def sanitized(communicator=None):
        model = cleanclip.create(TINY, seed=1, tokenizer=vocabulary)
        history = cleanclip.sanitize(model, pairs, method, communicator=communicator, **SHORT)
        return history.losses, weights(model), history.as_dict()["settings"].get("ranks")

    losses, expected, ranks = sanitized()
    assert ranks is None
    results = run(2, sanitized)
    for other, other_weights, ranks in results:
        assert ranks == 2
        np.testing.assert_allclose(other, losses, rtol=1e-5)
        assert np.linalg.norm(other_weights - expected) <= 1e-5 * np.linalg.norm(expected)
        np.testing.assert_array_equal(other_weights, results[0][1])


def test_ranks_that_do_not_agree_are_refused(vocabulary, pairs):
    def work(communicator):
        model = cleanclip.create(TINY, seed=1, tokenizer=vocabulary)
        rate = 1e-4 if communicator.rank == 0 else 1e-3
        cleanclip.sanitize(
            model, pairs, communicator=communicator, **{**SHORT, "learning_rate": rate})

    for error in run(2, work):
        assert isinstance(error, cleanclip.InvalidArgumentError)
        assert "rank 1: learning_rate: expected 0.0001 as on rank 0, got 0.001" in str(error)


def test_what_a_rank_raises_ends_all(vocabulary, pairs):
    def work(communicator):
        model = cleanclip.create(TINY, seed=1, tokenizer=vocabulary)

        def progress(step):
            if step.step == 2 and communicator.rank == 1:
                raise RuntimeError("enough")

        cleanclip.sanitize(model, pairs, communicator=communicator, progress=progress, **SHORT)

    first, second = run(2, work)
    assert isinstance(second, RuntimeError) and str(second) == "enough"
    assert isinstance(first, cleanclip.CancelledError)
    assert "cancelled after step 2 of 12 by rank 1" in str(first)


def test_a_collective_that_raises_is_the_cause(model, pairs):
    class Broken(ThreadCommunicator):
        def all_gather(self, data, out):
            raise ConnectionError("rank 1 is gone")

    with pytest.raises(cleanclip.FileError, match="ConnectionError: rank 1 is gone") as raised:
        cleanclip.sanitize(model, pairs, communicator=Broken(0, 2, Meeting(2)), **SHORT)
    assert isinstance(raised.value.__cause__, ConnectionError)


def test_ranks_divide_the_searches_of_a_check(vocabulary, tmp_path):
    def check(communicator=None, **more):
        model = cleanclip.create(TINY, seed=1, tokenizer=vocabulary)
        result = cleanclip.check_model(
            model, classes=["red", "green", "blue", "grey"], nouns=False, steps=4, batch_size=4,
            image_limit=24, reference_searches=2, communicator=communicator, **more)
        fields = {**result.as_dict(), "seconds": 0}
        return fields, result.findings[0].size

    whole = check()
    for size in (2, 4):
        assert run(size, check) == [whole] * size
    first, other = run(2, lambda ranks: check(ranks, seed=ranks.rank))
    assert "the ranks do not agree; rank 1: " in str(first) and "seed: expected 0" in str(other)
