"""Crops to checkpoint: the only room that may import keras and its backends.

Importing this package loads none of them; its modules do, when they are used.
"""

import os

# TensorFlow reads this when it is loaded, and leaves oneDNN off on processors without AVX-512: a step of `mobile` takes 1.5
# times as long there without it. Here, because every module of this room is imported behind it: the same kernels, hence the
# same bits, whatever part of it comes first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
