"""Classifiers and regressors of panels, a file a family, and what all of them share.

``sklearn_physrnn.classification`` and ``sklearn_physrnn.regression`` are the public faces.
"""
