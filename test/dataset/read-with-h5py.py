"""Reads exports the way other people's programs do, and prints what it found as one line of JSON."""
import hashlib
import json
import sys

import h5py
import numpy as np


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def stacked(dataset):
    """As H2O's mixed replay buffer takes an array: rows on top of each other, in single precision."""
    return np.vstack(np.array(dataset)).astype(np.float32)


def every_leaf(file):
    """As D4RL's get_dataset collects what to load."""
    leaves = {}
    file.visititems(lambda name, item: leaves.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None)
    return leaves


def qlearning(data):
    """D4RL's rule: the next observation is that of the next row, rows that timed out are left out, so is the last."""
    rows = [i for i in range(len(data["rewards"]) - 1) if not data["timeouts"][i]]
    return {
        "rows": len(rows),
        "nextIsStored": sum(
            np.array_equal(data["observations"][i + 1], data["next_observations"][i])
            for i in rows
            if not data["terminals"][i]
        ),
        "terminals": int(sum(bool(data["terminals"][i]) for i in rows)),
    }


def d4rl(path):
    with h5py.File(path, "r") as file:
        buffer = {
            name: stacked(file[name])
            for name in ["observations", "actions", "rewards", "next_observations", "terminals"]
        }
        data = every_leaf(file)
        rows = len(data["rewards"])
        return {
            "shapes": {name: list(array.shape) for name, array in buffer.items()},
            "sha": {name: sha(array) for name, array in data.items()},
            "types": {name: str(array.dtype) for name, array in data.items()},
            # sequence_dataset indexes every array with the row
            "indexable": all(len(array) == rows for array in data.values()),
            "qlearning": qlearning(data),
            "attributes": {
                name: value if isinstance(value, str) else float(value) for name, value in file.attrs.items()
            },
        }


def minari(folder):
    with open(f"{folder}/data/metadata.json") as text:
        metadata = json.load(text)
    spaces = {name: json.loads(metadata[name]) for name in ["observation_space", "action_space"]}
    episodes = []
    with h5py.File(f"{folder}/data/main_data.hdf5", "r") as file:
        for number in range(metadata["total_episodes"]):
            group = file[f"episode_{number}"]
            episodes.append(
                {
                    "id": int(group.attrs["id"]),
                    "total_steps": int(group.attrs["total_steps"]),
                    "shapes": {
                        name: list(group[name].shape)
                        for name in ["observations", "actions", "rewards", "terminations", "truncations"]
                    },
                    "infos": {name: list(item.shape) for name, item in group["infos"].items()},
                    "observations": group["observations"][()].tolist(),
                    "ends": [bool(group["terminations"][-1]), bool(group["truncations"][-1])],
                    "endsBefore": int(group["terminations"][:-1].sum() + group["truncations"][:-1].sum()),
                }
            )
        groups = len(file.keys())
    return {"metadata": metadata, "spaces": spaces, "episodes": episodes, "groups": groups}


print(json.dumps({"d4rl": d4rl, "minari": minari}[sys.argv[1]](sys.argv[2])))
