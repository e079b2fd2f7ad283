"""Streams: a fitted model that is told its data step by step."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..kernels.one_step.codes import BAD_INPUT, BAD_OUTPUT, DONE
from ..nn._flat_step import FlatStep
from ..nn._one_step import NetworkStep
from ..preparation.arrays import check_finite
from ..preparation.inputs import Inputs
from ..preparation.step_targets import StepAnswer
from ._feed import Feed, Memory, Pushed
from ._files import read_state, write_state
from ._patches import Patches


class Stream:
    r"""A fitted model in the midst of its data, made by ``estimator.stream()``.

    Steps are pushed as they come, and what is said of them is what ``predict`` would say of
    everything pushed so far, in time and memory that do not grow with it. The model is the one
    that made the stream, as it was then.

    Attributes
    ----------
    n_streams : int
        Streams that run side by side.
    dtype : numpy dtype
        Of the computation: what it is told is turned into it.
    age : ndarray of shape (n_streams,)
        Steps that were pushed to each stream since its beginning.

    Notes
    -----
    A stream is a value: ``copy.deepcopy`` gives another that goes on by itself, and pickle
    keeps it with the model. :attr:`state` is what it has come to, without the model; `save`
    and `load` put that into a file like those of models, without code. Whatever way, what
    comes after is the same to the last bit, on the same machine.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import PETNNClassifier
    >>> X = np.random.default_rng(0).normal(size=(40, 20, 2))
    >>> y = X[:, :, 0].sum(axis=1) > 0
    >>> model = PETNNClassifier(8, max_iter=5, random_state=0).fit(X, y)
    >>> stream = model.stream()
    >>> said = [stream.push(step) for step in X[0]]
    >>> bool(said[-1] == model.predict(X[:1])[0])
    True
    """

    def __init__(
        self,
        step: NetworkStep,
        inputs: Inputs,
        answers: Mapping[str, StepAnswer],
        fingerprint: str,
        *,
        n_streams: int = 1,
        dtype: Any = np.float64,
        remedies: str = "",
    ) -> None:
        self._step, self._answers, self._fingerprint = step, dict(answers), fingerprint
        self._remedies = remedies
        self._feed = Feed(inputs, np.dtype(dtype), direct=step.patch_size == 1)
        self._per_step = step.readout == "sequence"
        self._every = step.every if self._per_step else 1
        self._prepare()
        self._set(self._rest(n_streams))

    def _prepare(self) -> None:
        feed, size = self._feed, self._step.patch_size
        n_channels = feed.inputs.n_columns
        self._flat = FlatStep(self._step, size * n_channels, feed.scaling)
        self._patches = Patches(self._flat, size, n_channels) if size > 1 else None

    def _rest(self, n_streams: int) -> Memory:
        flat = self._flat
        nothing = {
            "network": flat.state,
            "sums": flat.sums,
            "age": np.zeros(1, np.int64),
            "features": np.full((1, flat.width), np.nan, flat.dtype),
            "outputs": np.full((1, flat.output_size), np.nan, flat.dtype),
            **self._feed.rest(),
            **({} if self._patches is None else self._patches.rest()),
        }
        return {name: np.repeat(part, n_streams, axis=0) for name, part in nothing.items()}

    def _set(self, memory: Memory) -> None:
        self._memory = memory
        n_streams = len(memory["age"])
        shape = n_streams, self._feed.n_channels
        # Of the usual step, whose outputs are written where they are kept.
        usual = self._feed.scaling is not None and self._every == 1
        self._usual = {shape, shape[n_streams == 1 :]} if usual else set()
        self._usual_memory = (
            memory["network"], memory["sums"], memory["features"][:, None],
            memory["outputs"][:, None],
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        left = ("_flat", "_patches", "_usual", "_usual_memory")
        return {name: value for name, value in vars(self).items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()
        self._set(self._memory)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_streams={self.n_streams}, dtype={self.dtype.name!r})"

    @property
    def n_streams(self) -> int:
        """Streams that run side by side."""
        return len(self._memory["age"])

    @property
    def dtype(self) -> np.dtype:
        """Of the computation."""
        return self._feed.dtype

    @property
    def age(self) -> np.ndarray:
        """Steps that were pushed to each stream."""
        return self._memory["age"].copy()

    # -- pushing -----------------------------------------------------------------------

    def push(self, x, streams=None):
        """Go on by a step, or by several, and say what ``predict`` would of all so far.

        Parameters
        ----------
        x : array-like
            One step of each stream, of shape (n_streams, n_channels), or (n_channels,) where
            there is one stream; or several, (n_streams, n_steps, n_channels). The channels
            are those of the X that was fitted, that of time stamps among them. Of a model of
            one channel a step may be a number a stream, (n_streams,) or a number. Tokens have
            no axis of channels.
        streams : array-like of int, default=None
            Which streams go on, where not all do; x has as many rows.

        Returns
        -------
        y : ndarray or scalar
            An entry a stream, and just that of the only one where x has no axis of streams.
            With readout "sequence" what is said of the steps themselves: with an axis of time
            where x has one, of the steps `every`, 2 `every` and so on of the stream that were
            among those pushed, filled up as ``predict`` does past a sample's end where a
            stream had fewer; without one, the step's, and that filling where it is none of
            those.

        Raises
        ------
        TypeError, ValueError
            If x is not as described, or time runs backwards: nothing is pushed then. Also if
            what the network says is not finite; then reset the streams.
        """
        return self._pushed(x, streams, "predict")

    def push_proba(self, x, streams=None):
        """Do what `push` does, and say what ``predict_proba`` would; of classifiers."""
        return self._pushed(x, streams, self._known("predict_proba"))

    def push_features(self, x, streams=None):
        """Do what `push` does, and say what ``transform`` would.

        Returns
        -------
        features : ndarray of shape (n_streams, width)
            Or (width,), where x has no axis of streams. With readout "sequence" of the last
            step.
        """
        pushed, _, rows = self._advanced(x, streams)
        features = self._memory["features"][rows]
        return features[0] if pushed.one else features

    def _pushed(self, x: Any, streams: Any, method: str) -> Any:
        answer = self._answers[method]
        usual = streams is None and type(x) is np.ndarray and x.shape in self._usual
        usual = usual and x.dtype == self._feed.dtype and x.flags.c_contiguous
        if usual and self._go_on(x.reshape(self.n_streams, 1, -1)):
            said = answer.decode(self._memory["outputs"])
            return said[0] if x.ndim == 1 else said
        pushed, outputs, rows = self._advanced(x, streams)
        if not self._per_step:
            said = answer.decode(outputs[:, -1])
        else:
            said = self._of_steps(answer, pushed, outputs, rows)
        return said[0] if pushed.one else said

    def _go_on(self, steps: np.ndarray) -> bool:
        """Take every stream through one step, in its memory; or not, if values are missing."""
        memory = self._memory
        code = self._flat.run(steps, None, *self._usual_memory)
        if code == BAD_INPUT:
            return False
        self._feed.remember(steps[:, 0], memory)
        memory["age"] += 1
        if code == BAD_OUTPUT:
            check_finite(memory["outputs"], self._remedies)
        return True

    def _advanced(self, x: Any, streams: Any) -> tuple[Pushed, np.ndarray, Any]:
        memory: Memory = self._memory
        rows: Any = slice(None)
        if streams is not None:
            rows = self._rows(streams)
            memory = {name: part[rows] for name, part in memory.items()}
        n_streams = len(memory["age"])
        pushed = self._feed.read(x, n_streams)
        steps, dt = self._feed.arrays(pushed.steps, memory)
        n_kept = steps.shape[1] if self._per_step else 1
        features, outputs = (
            np.empty((n_streams, n_kept, memory[name].shape[1]), self.dtype)
            for name in ("features", "outputs")
        )
        if self._patches is not None:
            code = self._patches.run(steps, dt, memory, features, outputs)
        else:
            arrays = memory["network"], memory["sums"], features, outputs
            code = self._flat.run(steps, dt, *arrays)
        memory["age"] += steps.shape[1]
        memory["features"][:] = features[:, -1]
        self._remember_said(memory, outputs)
        if streams is not None:
            for name, part in memory.items():
                self._memory[name][rows] = part
        if code != DONE:
            check_finite(outputs, self._remedies)
        return pushed, outputs, rows

    def _remember_said(self, memory: Memory, outputs: np.ndarray) -> None:
        if self._every == 1:
            memory["outputs"][:] = outputs[:, -1]
            return
        back = memory["age"] % self._every  # steps since the last one that was read
        there = np.flatnonzero(back < outputs.shape[1])
        memory["outputs"][there] = outputs[there, -1 - back[there]]

    def _of_steps(
        self, answer: StepAnswer, pushed: Pushed, outputs: np.ndarray, rows: Any
    ) -> np.ndarray:
        n_streams, n_steps, n_outputs = outputs.shape
        after = self._memory["age"][rows][:, None] - n_steps + np.arange(1, n_steps + 1)
        read = after % self._every == 0
        if read.all():
            said = answer.decode(outputs.reshape(-1, n_outputs))
            said = said.reshape(n_streams, n_steps, *said.shape[1:])
        else:
            counts = read.sum(axis=1)
            said = _filled(answer, (n_streams, max(int(counts.max()), 1 - pushed.timed)))
            if counts.any():
                inside = np.arange(said.shape[1]) < counts[:, None]
                decoded = answer.decode(outputs[read])
                said = said.astype(np.result_type(said, decoded), copy=False)
                said[inside] = decoded
        return said if pushed.timed else said[:, 0]

    def _rows(self, streams: Any) -> np.ndarray:
        rows = np.atleast_1d(np.asarray(streams))
        n = self.n_streams
        wrong = rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows)
        if wrong or len(np.unique(rows)) < len(rows) or rows.min() < 0 or rows.max() >= n:
            raise ValueError(
                f"streams must be numbers of streams, from 0 to {n - 1} and none of them twice, "
                f"got {streams!r:.100}."
            )
        return rows

    def _known(self, method: str) -> str:
        if method not in self._answers:
            raise AttributeError("The stream of a regressor has no probabilities.")
        return method

    # -- what is said of all so far ------------------------------------------------------

    def predict(self):
        """Say of each stream what ``predict`` would, of all that was pushed to it so far.

        Returns
        -------
        y : ndarray of shape (n_streams, ...)
            With readout "sequence" of the latest step that is read.

        Raises
        ------
        ValueError
            If nothing is to be said of a stream yet.
        """
        return self._said("predict")

    def predict_proba(self):
        """Say of each stream what ``predict_proba`` would; of classifiers.

        Returns
        -------
        probabilities : ndarray of shape (n_streams, n_classes)
        """
        return self._said(self._known("predict_proba"))

    def transform(self):
        """Say of each stream what the head has seen last, as ``transform`` would.

        Returns
        -------
        features : ndarray of shape (n_streams, width)
        """
        self._check_begun(self._memory["features"])
        return self._memory["features"].copy()

    def _said(self, method: str) -> np.ndarray:
        outputs = self._memory["outputs"]
        self._check_begun(outputs)
        return self._answers[method].decode(outputs)

    def _check_begun(self, said: np.ndarray) -> None:
        young = np.isnan(said).any(axis=1)
        if young.any():
            every = f" Its first answer comes with step {self._every}." * (self._every > 1)
            raise ValueError(
                f"There is nothing to be said of stream {int(young.argmax())} yet: push to it "
                f"first.{every}"
            )

    def simulate(self, n_steps: int, feed: Callable[[np.ndarray], Any] | None = None):
        """Go on by the stream's own predictions, each the next step.

        Parameters
        ----------
        n_steps : int
            Steps to go.
        feed : callable, default=None
            Turns predictions (n_streams, ...), as `predict` gives them, into the steps that are
            pushed next; by default they are pushed as they are, so that they must be of all
            channels.

        Returns
        -------
        y : ndarray of shape (n_streams, n_steps, ...)
            What was said after each step. The first that is pushed follows from what was said
            last before.

        Raises
        ------
        ValueError
            If nothing was pushed yet, or predictions are no steps.
        """
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {n_steps}.")
        said = self._said("predict")
        path = []
        for _ in range(n_steps):
            self._advanced(self._as_step(said) if feed is None else feed(said), None)
            said = self._said("predict")
            path.append(said)
        return np.stack(path, axis=1)

    def _as_step(self, said: np.ndarray) -> np.ndarray:
        n_channels = self._feed.n_channels
        if said.dtype.kind != "f" or said.size != self.n_streams * n_channels:
            raise ValueError(
                f"Predictions of shape {said.shape[1:]} are no steps of {n_channels} channels: "
                "give `feed`, which makes them of predictions."
            )
        return said.reshape(self.n_streams, n_channels)

    # -- what they have come to ------------------------------------------------------------

    def reset(self, streams=None) -> None:
        """Let streams begin anew.

        Parameters
        ----------
        streams : array-like of int, default=None
            Which; all of them by default.
        """
        rows = slice(None) if streams is None else self._rows(streams)
        for name, part in self._rest(1).items():
            self._memory[name][rows] = part

    @property
    def state(self) -> dict[str, Any]:
        """What the streams have come to, as a plain value: text and arrays, a row a stream.

        Rows may be chosen and put together, and set again. Which model they are of is in it.
        """
        arrays = {name: part.copy() for name, part in self._memory.items()}
        return {"model": self._fingerprint, **arrays}

    @state.setter
    def state(self, value: Mapping[str, Any]) -> None:
        self._set(self._checked(value))

    def _checked(self, value: Mapping[str, Any]) -> Memory:
        if not isinstance(value, Mapping) or "model" not in value:
            raise ValueError(
                "state must be what the attribute `state` of a stream was, got "
                f"{type(value).__name__}."
            )
        if value["model"] != self._fingerprint:
            raise ValueError(
                "This is the state of another model, or of this one before it was fitted anew: "
                "what it has come to means nothing here."
            )
        known, given = self._rest(1), dict(value)
        del given["model"]
        n_streams = len(np.atleast_1d(given.get("age", ())))
        arrays = {}
        for name, part in known.items():
            array = np.asarray(given.pop(name, None))
            if array.dtype != part.dtype or array.shape != (n_streams, *part.shape[1:]):
                raise ValueError(
                    f"{name!r} of the state must be {part.dtype} of shape (n_streams, "
                    f"{', '.join(map(str, part.shape[1:]))}), got {array.dtype} of shape "
                    f"{array.shape}."
                )
            arrays[name] = np.array(array, order="C")
        if given or n_streams == 0:
            raise ValueError(f"The state has no streams, or entries unknown: {[*given][:3]}.")
        return arrays

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file without code, for `load`.

        Parameters
        ----------
        path : str or path-like
            The file. One that is there already is replaced, once the new one is complete: a
            process that is killed leaves the old or the new.
        """
        write_state(path, self.state)

    def load(self, path: str | os.PathLike[str]) -> "Stream":
        """Take the state that `save` wrote, of as many streams as it is of.

        Parameters
        ----------
        path : str or path-like
            The file, which may come from a stranger: nothing in it is executed.

        Returns
        -------
        self : Stream

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, no state, or that of another model.
        """
        self.state = read_state(path)
        return self


def _filled(answer: StepAnswer, shape: tuple[int, ...]) -> np.ndarray:
    if answer.numbers:
        return np.full((*shape, *answer.shape), np.nan)
    dtype = object if answer.past is None else np.asarray(answer.values).dtype
    return np.full(shape, answer.past, dtype)
