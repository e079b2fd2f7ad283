"""What an estimator leaves to programs that have neither it nor torch."""

import os

from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from ..export import to_onnx_bytes
from ..storage.atomic import write_atomically


class Exporting:
    """Writes itself to ONNX."""

    @validate_params(
        {
            "path": [str, os.PathLike],
            "step": ["boolean"],
            "dtype": [StrOptions({"float32", "float64"})],
        },
        prefer_skip_nested_validation=True,
    )
    def to_onnx(
        self, path: str | os.PathLike[str], *, step: bool = False, dtype: str = "float32"
    ) -> None:
        """Write the fitted estimator to an ONNX file, which predicts without Python or torch.

        Everything that ``predict`` does to an array of numbers is in the file: scaling, missing
        values, time stamps, tokens, the network, units of y, labels. The network computes in
        float32.

        Parameters
        ----------
        path : str or path-like
            The file. One that is there already is replaced, once the new one is complete.
        step : bool, default=False
            Of an estimator of sequences: a single time step, with the state before it among
            the inputs and the state after it among the outputs, instead of whole sequences.
        dtype : {"float32", "float64"}, default="float32"
            What X is, and what scales and differences of time stamps are computed from: time
            stamps of seconds since 1970 need "float64". Numbers in the answers have it too,
            or float64 where float32 could not hold the targets apart.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If the package onnx is not installed.
        ValueError
            If something in the estimator has no form in ONNX, such as categories of text or
            a vector field with operations that are not known. Nothing is written then.
        OSError
            If the file cannot be written.

        Notes
        -----
        The graph has one input "X", as ``predict`` takes it: (n_samples, n_features),
        (n_samples, n_timesteps, n_channels), (n_samples, n_timesteps) if the estimator was
        fitted to that, or int64 tokens (n_samples, n_timesteps). Both n_samples and
        n_timesteps are free; a shorter sequence is padded at its end with steps of NaN alone,
        tokens with -1. Its outputs are "y" and, of a classifier, "probabilities".

        With `step`, X has no axis of time. For each tensor of the state there is an input
        ``state_...`` and an output ``next_...``, with the sample as its last axis but one; the
        number that it begins with is in the file's metadata, "first_state". With readout
        "sequence" every step has an answer, and "every" in the metadata says which of them the
        model was trained to give.

        Nothing is checked: where ``predict`` would refuse an X, numbers in the answer are NaN.
        Past the end of a padded sequence labels are as in ``predict``, but for booleans and
        others where ``predict`` has None: False, -1 or an empty text.
        """
        check_is_fitted(self)
        write_atomically(path, to_onnx_bytes(self, dtype, step=step))
