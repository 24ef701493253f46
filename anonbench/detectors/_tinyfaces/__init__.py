"""TinyFaces (Hu and Ramanan, "Finding Tiny Faces", CVPR 2017): network, weights, decoding and training.

Facts are read from the paper and from two public repositories, both MIT-licensed or free for research; no code is
theirs. "The authors' code" below is peiyunh/tiny (MATLAB, MatConvNet), "the port" is varunagrawal/tiny-faces-pytorch.
"""
