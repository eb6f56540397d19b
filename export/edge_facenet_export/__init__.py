"""Checkpoint to artifact."""

import edge_facenet.train  # noqa: F401  before any module loads keras: it says which kernels TensorFlow takes
