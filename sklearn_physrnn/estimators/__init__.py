"""Thin scikit-learn classes over the torch modules: one file a model family."""
