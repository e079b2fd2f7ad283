"""Parameter and attribute descriptions that all estimators share, written once."""

import inspect
import re
from typing import TypeVar

from ..families import Family, OfFamily

_TRAINING = """
optimizer : {"adamw", "adam", "sgd"}
    Update rule; "sgd" is with Nesterov momentum 0.9.
learning_rate_init : float
    Largest learning rate of the schedule.
learning_rate : {"constant", "cosine", "one_cycle"}
    Schedule over the whole training, batch by batch: constant; half a cosine down to
    zero; or up from 1/25 within the first 10 % and then down to zero.
alpha : float or "auto"
    Decoupled weight decay: in an epoch the weight matrices shrink by `alpha` times the
    learning rate. Biases and physical constants do not. "auto" follows the noise: between 2
    and 8, by the number of samples, and, up to 512 samples, 60 times the share of the first
    epoch's loss that the latest epoch left (for classes 8, and 24 times that share up to
    1,024 samples); with more samples that share counts less, and in an epoch of fewer than
    eight batches all of it. For losses but "squared_error" it is 8, since a few wild
    targets can make up most of their value. ``partial_fit`` counts 1,024 samples as an
    epoch, however the stream is cut.
batch_size : int or "auto"
    Most samples in a batch; all batches of an epoch are of the same size, or of one
    sample more. "auto" is an eighth of all, at least 16 and at most 256.
chunk_size : int, "auto" or None
    Steps of time that are trained on at once. Longer sequences are walked in pieces of so
    many, which takes the memory of one piece, and a second walk forward; the gradient is
    that of the whole sequences, whatever the pieces, but for rounding. None never cuts;
    "auto" cuts where a batch is large, by its shape alone. Batch normalisation cannot be
    trained in pieces: with it "auto" does not cut.
carry_state : bool
    Of ``partial_fit`` alone: each call goes on with the records of the call before, in the
    state that it left them in, as an endless stream asks for. All records of a call make one
    batch, and a call one step of the optimizer. The gradient is truncated at the call's first
    step: unlike `chunk_size`, this changes what is learned. See ``carried_state_`` and
    ``reset_state``.
max_iter : int
    Epochs.
max_time : float or None
    Seconds that ``fit`` may take. Where `max_iter` epochs would take longer, the schedule of the
    learning rate is drawn together to what there is time for, and comes to its end; the last
    epoch may be cut. How many steps that is depends on the machine, and so does the model. A
    step that has begun is ended, and what ``fit`` does before training takes its time, too.
max_grad_norm : float or None
    Largest norm of a step's gradient; None does not clip.
early_stopping : bool
    Hold out a part of the training data (or use ``X_val``), stop when its loss has not
    improved for `n_iter_no_change` epochs, and restore the best weights. A schedule that
    ends at zero is brought there first, in as many epochs as it came: what the large steps
    of a high rate hide is still to be learned. Without it training takes all data and all
    of `max_iter`, and keeps the last weights.
validation_fraction : float
    Share to hold out, stratified for classes.
n_iter_no_change : int
    Patience of early stopping, in epochs.
tol : float
    Smallest decrease of the loss that counts as an improvement.
scale_inputs : {"standard", "quantile", "quantile_linear"} or False
    "standard" gives each {column} zero mean and unit standard deviation; "quantile" maps
    its distribution to a standard normal, as suits X with a few wild values, which would
    squeeze all others under "standard". What lies outside of the training range counts as
    its end, so that predictions are constant there. "quantile_linear" does the same
    between the 10 % and the 90 % quantile, and goes on in straight lines: values beyond all
    of training stay different. False leaves X as it is. Statistics come from the training
    part, with its weights.
warm_start : bool
    Let ``fit`` go on from the fitted weights, with the scaling and the classes of the
    first fit. With early stopping the same rows are held out again, if the data are the
    same.
dtype : {"float32", "float64", "bfloat16"}
    Precision of training; "bfloat16" is mixed precision with float32 weights.
    Prediction has the precision of X.
device : str
    Torch device to train and predict on; "auto" takes a CUDA device where there is one and
    the work is worth it, and in joblib's workers deals out several. The fitted weights are
    kept on the CPU, and predict anywhere.
callbacks : list or None
    skorch callbacks to call during training. One that sets the learning rate needs
    `learning_rate` "constant"; those that score are refused, for ``validation_scores_``.
checkpoint : str, path-like or None
    File that an unfinished training is kept in, written after an epoch, every five seconds
    at most. After a crash, a kill or an interrupt, ``fit`` with the same parameters and
    data goes on from it and ends where it would have ended, also with the seeds that a
    `random_state` of None drew. Other parameters or data are refused as long as the file is
    there; a training that ends deletes it. Give an existing folder to keep a file a
    training in it, as a search needs that fits several at once. What `callbacks` remember
    is not kept, and ``partial_fit`` keeps nothing.
random_state : int, RandomState instance or None
    Seeds weights, batches and dropout; a training that goes on from fitted weights draws
    others than those before it. Torch's global generators are left alone.
verbose : bool or int
    Print epoch, losses and the time left: every tenth epoch, or every one from 2 on.
"""

_REGRESSION = """
loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"} or callable
    Training loss, of scaled targets; it estimates the mean, the median, something
    between (quadratic up to 1.35 units), or `quantile`. The unit is the standard deviation
    for "squared_error", for the next three one of the middle of the targets, which wild values
    cannot set as long as they are fewer than 15 %. "poisson", for counts and other y of 0 or
    more, and "gamma", for positive y whose spread grows with their mean, are deviances: the
    network gives the logarithm of the mean, ``predict`` the mean, which is positive. A callable
    takes predictions and targets, tensors of shape (n, n_targets) in the units of y, and returns
    a tensor (n,), or (n, n_targets), by torch's functions, of which rows are weighed by
    `sample_weight` and averaged; ``loss_curve_`` is in units of what it is where the mean is
    predicted. It is pickled by its name, and not kept by ``save``.
quantile : float or list of float
    What ``loss="quantile"`` estimates; several, in increasing order, at once. ``score`` is
    R² for a number, and for a list, of one quantile too, the mean of D² of the pinball
    loss, which is the one to select quantiles by.
interval : "conformal" or None
    "conformal" has ``fit`` train once more for each fold of `interval_cv`, without its rows, and
    keep the errors there, from which ``predict_interval`` and ``predict_quantiles`` are made;
    widths follow the size that errors have by what the network makes of X. Predictions are
    those of None, to the bit. With None ``calibrate`` does it with rows that were held out,
    at no cost. Not with ``partial_fit``, `warm_start` and readout "sequence".
interval_cv : int or splitter
    A number of folds, drawn at random; or a splitter or pairs of indices, which keep together
    what belongs together, such as ``PredefinedSplit(groups)``. One split, such as
    ``ShuffleSplit(1)``, is enough, and leaves all rows the same width. `max_time` is of all
    trainings together.
"""

_CLASSIFICATION = """
class_weight : dict, "balanced" or None
    Weight of each class; "balanced" is inverse to its frequency in the training data. It
    counts in the loss of training and of validation alike, and not in scores. Where y is a
    matrix of 0 and 1, one column a label, a dict gives the weight of columns, and "balanced"
    lets the ones and the zeros of each column weigh alike.
"""

_ATTRIBUTES = """
module_ : torch.nn.Module
    The fitted network, on the CPU.
n_features_in_ : int
    {n_features}
feature_names_in_ : ndarray of shape (n_features,)
    Names of columns, or of channels in a list of data frames, that are strings.
n_iter_ : int
    Epochs trained.
loss_curve_ : list of float
    Mean training loss of each epoch.
learning_rate_curve_ : list of float
    Learning rate at the end of each epoch.
validation_loss_curve_, validation_scores_ : list of float or None
    Loss, with class weights if any, and score (R² or accuracy), without them, on the
    validation data after each epoch; None where nothing was validated.
best_loss_ : float
    Lowest validation loss, or training loss where nothing was validated.
kernels_ : dict of str to list
    In which of several ways kernels were run on a GPU, by kernel, size and card: part of what
    `random_state` promises, and taken up again where training goes on or the model
    predicts. Empty on a CPU.
"""

_CARRIED = """
carried_state_ : CarriedState
    What ``partial_fit`` with `carry_state` left the records in, for the next call; its length is
    their number. Absent after ``reset_state`` and any other training. A call whose loss was not
    finite leaves it as it was.
"""

_CALIBRATION = """
calibration_ : Calibration
    Errors of rows that training has not seen; its length is their number. There where `interval`
    or ``calibrate`` asked for it, until the next training.
"""

_CLASSES = """
classes_ : ndarray of shape (n_classes,)
    Labels, sorted.
"""

_SEQUENCES = """
X may be of shape (n_samples, n_timesteps, n_channels), or (n_samples, n_timesteps) for one
channel, where trailing steps that are NaN in every channel are padding; or a list of arrays
of shape (n_timesteps, n_channels) and unequal length, where nothing is padding. Any other NaN
is a value that is missing, of which `missing` says more. Data frames, whose
columns are channels, tensors and nested lists may take the place of arrays, 1-D ones for one
channel, and a column of sequences, or a column a channel, that of the list. Large mapped
files, arrays of zarr, h5py and the like, and lists of them are never copied whole, but read
piece by piece.
"""

_STEPS = """
every : int
    Distance of the steps that readout "sequence" predicts at: counting from one, steps
    `every`, 2 `every` and so on. y is of shape {shapes},
    or a list of arrays, of as many values as each series has such steps. Past a shorter
    series' end y is not looked at. Where X stays in files, y may, too. One long record
    (n_samples of 1) will do: it is one batch, and an epoch one step. Of records too few
    to hold one out, early stopping holds out what is later in each, which then begins
    anew, without what came before.
"""

_TABLES = """
X may be an array or a sparse one, which is never made dense as a whole, or a DataFrame of
pandas or polars, of numbers, NaN and columns of categories.
"""

_COLUMNS = {"inputs": _TABLES, "column": "column", "n_features": "Number of columns of X."}
_CHANNELS = {
    "inputs": _SEQUENCES,
    "column": "channel, over all steps,",
    "n_features": "Number of channels of X, or of its columns where X is 2-D.",
}

_Class = TypeVar("_Class", bound=type[OfFamily])


def filled(text: str, **parts: str) -> str:
    """Put each part where its ``{name}`` has a line of `text` to itself, indented like it."""

    def indented(match: re.Match) -> str:
        lines = parts[match[2]].strip("\n").split("\n")
        return "\n".join(match[1] + line if line else line for line in lines)

    return re.sub(r"^( *)\{(\w+)\}$", indented, text, flags=re.MULTILINE)


def parameter_entries(text: str) -> dict[str, str]:
    """Split a list of parameters in numpydoc's form into one text a parameter, by name."""
    entries = re.split(r"^(?=\w+ : )", text.strip("\n"), flags=re.MULTILINE)
    return {entry.partition(" : ")[0]: entry.rstrip("\n") for entry in entries if entry}


def parameters_like(cls: type, other: type, **entries: str) -> str:
    """Describe the parameters of `cls`, in the order and with the defaults of its signature.

    Parameters
    ----------
    cls : type
    other : type
        A documented estimator. Its descriptions serve parameters of the same name.
    **entries : str
        Descriptions that take the place of those, in numpydoc's form.
    """
    section = (inspect.getdoc(other) or "").partition("Parameters\n----------\n")[2]
    known = parameter_entries(section.partition("\n\n")[0])
    for name, parameter in inspect.signature(other).parameters.items():
        known[name] = known[name].replace(_default(parameter) + "\n", "\n", 1)
    return described(cls, known | entries)


def parameters_of(cls: type, family: Family, **entries: str) -> str:
    """Describe the parameters of `cls` as its family and all that train have them.

    Parameters
    ----------
    cls : type
    family : Family
    **entries : str
        Descriptions of other parameters, and such as take the place of those.
    """
    known = parameter_entries(_TRAINING) | parameter_entries(family.entries)
    return described(cls, known | entries)


def described(cls: type, entries: dict[str, str]) -> str:
    """Give the entries of a signature's parameters, in its order and with its defaults."""
    names = inspect.signature(cls).parameters
    return _with_defaults("\n".join(entries[name].strip("\n") for name in names), cls)


def _training_of(cls: type) -> str:
    """Give the descriptions of the parameters of training that the class has."""
    names = inspect.signature(cls).parameters
    return "\n".join(text for name, text in parameter_entries(_TRAINING).items() if name in names)


def _opening(cls: type[OfFamily], inputs: str, *, classifies: bool) -> str:
    family = cls._family
    shapes = "(n_samples, n_steps)"
    if not classifies:
        shapes += "\n    or (n_samples, n_steps, n_targets)"
    known = parameter_entries(family.entries)
    known |= parameter_entries(family.per_step_readout + _STEPS.replace("{shapes}", shapes))
    own = (known[name] for name in inspect.signature(cls).parameters if name in known)
    return f"{family.about}{inputs}\nParameters\n----------\n" + "\n".join(own)


def _default(parameter: inspect.Parameter) -> str:
    return f", default={parameter.default!r}"


def _with_defaults(text: str, cls: type) -> str:
    """Append each parameter's default to its line, from the signature, which is true."""
    parameters = inspect.signature(cls).parameters

    def line(match: re.Match) -> str:
        parameter = parameters.get(match[2])
        return match[0] if parameter is None else match[0] + _default(parameter)

    return re.sub(r"^( *)(\w+) : .*$", line, text, flags=re.MULTILINE)


def documented(*, sequences: bool):
    """Fill ``{family}``, ``{training}``, ``{targets}``, ``{attributes}`` and defaults.

    The class says its family in ``_family``; ``{family}`` is what the model is, what X may be
    and the head of the parameters, with the family's.

    Parameters
    ----------
    sequences : bool
        Whether X holds sequences, in channels, or rows, in columns.
    """
    words = _CHANNELS if sequences else _COLUMNS

    def fill(cls: _Class) -> _Class:
        if cls.__doc__ is None:  # python -OO
            return cls
        classifies = hasattr(cls, "predict_proba")
        text = filled(
            cls.__doc__,
            family=_opening(cls, words["inputs"], classifies=classifies),
            targets=_CLASSIFICATION if classifies else _REGRESSION,
            training=_training_of(cls).replace("{column}", words["column"]),
            attributes=(_CLASSES.rstrip("\n") if classifies else "")
            + _ATTRIBUTES.replace("{n_features}", words["n_features"]).rstrip("\n")
            + ("" if classifies else _CALIBRATION.rstrip("\n"))
            + (_CARRIED if sequences else ""),
        )
        head, attributes, tail = text.partition("    Attributes\n")
        cls.__doc__ = _with_defaults(head, cls) + attributes + tail
        return cls

    return fill
