"""Make the features of a dataset on all machines of a Ray cluster, in parts that one check joins.

    python ray_features.py clip.onnx pairs.csv parts/
    cleanclip check data --data pairs.csv --image-features parts/ --memory-budget 8G

Every worker writes parts of its own: a NumPy array, and its keys in a text file beside it. The keys put the
rows in the order of the table, in whatever order the parts were made. Needs ``pip install "ray[data]"``.
"""

import argparse
import csv
import pathlib

import numpy as np
import ray

import cleanclip


class Embed:
    """A worker with a model of its own."""

    def __init__(self, model, folder, output):
        self.model = cleanclip.load(model)
        self.folder = pathlib.Path(folder)
        self.output = pathlib.Path(output)

    def __call__(self, batch):
        keys = [str(key) for key in batch["key"]]
        images = [self.folder / key for key in keys]
        # Not normalised: the length of a feature tells too.
        features = self.model.encode_image(images, normalize=False)
        part = self.output / f"part-{int(batch['row'][0]):09}"
        # The keys first: an array without its keys would be taken in the order of its rows.
        part.with_suffix(".txt").write_text("".join(key + "\n" for key in keys))
        np.save(part.with_suffix(".npy"), features)
        return {"rows": np.array([len(keys)])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("table", type=pathlib.Path, help="a csv file with a column 'image'")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows-a-part", type=int, default=8192)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with arguments.table.open(newline="") as file:
        rows = [{"row": i, "key": row["image"]} for i, row in enumerate(csv.DictReader(file))]
    places = [str(path.resolve()) for path in (arguments.table.parent, arguments.output)]
    done = ray.data.from_items(rows).map_batches(
        Embed, fn_constructor_args=(str(pathlib.Path(arguments.model).resolve()), *places),
        batch_size=arguments.rows_a_part, concurrency=arguments.workers)
    print(f"{done.sum('rows')} rows in {arguments.output}")


if __name__ == "__main__":
    main()
