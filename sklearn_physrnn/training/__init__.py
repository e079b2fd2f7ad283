"""The training engine every estimator uses: skorch's loop on tensors in memory.

``train`` in ``_engine`` is the only way in. It is imported where a fit begins, so
that importing the package does not import skorch.
"""
