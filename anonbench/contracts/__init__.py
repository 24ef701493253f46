"""What a plug-in of each kind promises: one function a promise.

The contract tests hold every plug-in of the repository against these functions, and `anonbench check` holds the user's,
so that the two cannot drift. Each module here has one `CONTRACT` and the class of the subjects that it is held against.
"""
