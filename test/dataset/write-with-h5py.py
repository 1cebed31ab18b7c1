"""Writes a file as D4RL's own scripts do: bool flags, gzip, double precision, one scalar among the metadata."""
import sys

import h5py
import numpy as np

rows = 200
with h5py.File(sys.argv[1], "w") as file:
    observations = np.arange(3 * (rows + 1), dtype=np.float64).reshape(rows + 1, 3) / 8
    file.create_dataset("observations", data=observations[:-1].astype(np.float32), compression="gzip")
    file.create_dataset("next_observations", data=observations[1:].astype(np.float32), compression="gzip")
    file.create_dataset("actions", data=np.full((rows, 2), 0.25), compression="gzip")
    file.create_dataset("rewards", data=np.arange(rows, dtype=np.float64)[:, None])
    file.create_dataset("terminals", data=np.arange(rows) == 120)
    file.create_dataset("timeouts", data=(np.arange(rows) == 60) | (np.arange(rows) == rows - 1))
    file.create_dataset("metadata/algorithm", data=np.bytes_("SAC"))
    file.create_dataset("infos/qpos", data=np.zeros((rows, 2)))
