"""Streams: a fitted model that is told its data step by step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..kernels.one_step.codes import BAD_INPUT, BAD_OUTPUT, DONE
from ..nn._one_step import NetworkStep
from ..preparation.arrays import check_finite
from ..preparation.inputs import Inputs
from ..preparation.step_targets import StepAnswer
from ._feed import Feed, Memory, Pushed
from ._streams import Streams


class Stream(Streams):
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

    _remade = (*Streams._remade, "_usual", "_usual_shape", "_fills", "_go_on")

    def __init__(
        self,
        step: NetworkStep,
        inputs: Inputs,
        answers: Mapping[str, StepAnswer],
        fingerprint: str,
        *,
        names: Sequence[str] | None = None,
        n_streams: int = 1,
        dtype: Any = np.float64,
        remedies: str = "",
    ) -> None:
        self._answers, self._remedies = dict(answers), remedies
        self._per_step = step.readout == "sequence"
        self._every = step.every if self._per_step else 1
        feed = Feed(inputs, np.dtype(dtype), names, direct=step.patch_size == 1)
        super().__init__(step, feed, fingerprint, n_streams)

    def _set(self, memory: Memory) -> None:
        super()._set(memory)
        n_streams, n_channels = len(memory["age"]), self._feed.n_channels
        # Of the usual step, whose outputs are written where they are kept.
        usual = self._feed.scaling is not None and self._every == 1
        shapes = {(n_streams, n_channels)} | ({(n_channels,)} if n_streams == 1 else set())
        self._usual = shapes if usual else set()
        self._usual_shape, self._fills = (n_streams, 1, n_channels), self._feed.fills
        self._go_on = self._flat.bound(
            memory["network"], memory["sums"], memory["features"][:, None],
            memory["outputs"][:, None],
        )  # fmt: skip

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
            If x is not as described, or time does not advance: nothing is pushed then. Also if
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
        features = self._memory["features"][rows].copy()
        return features[0] if pushed.one else features

    def _pushed(self, x: Any, streams: Any, method: str) -> Any:
        answer = self._answers[method]
        if (
            streams is None
            and type(x) is np.ndarray
            and x.shape in self._usual
            and x.dtype == self._feed.dtype
            and x.flags.c_contiguous
        ):
            code = self._go_on(x.reshape(self._usual_shape))
            if code != BAD_INPUT:  # of which nothing is remembered: values may be missing
                if self._fills:
                    self._feed.remember(x, self._memory)
                self._uncounted += 1
                outputs = self._kept["outputs"]
                if code == BAD_OUTPUT:
                    check_finite(outputs, self._remedies)
                said = answer.decode(outputs)
                return said[0] if x.ndim == 1 else said
        pushed, outputs, rows = self._advanced(x, streams)
        if not self._per_step:
            said = answer.decode(outputs[:, -1])
        else:
            said = self._of_steps(answer, pushed, outputs, rows)
        return said[0] if pushed.one else said

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


def _filled(answer: StepAnswer, shape: tuple[int, ...]) -> np.ndarray:
    if answer.numbers:
        return np.full((*shape, *answer.shape), np.nan)
    dtype = object if answer.past is None else np.asarray(answer.values).dtype
    return np.full(shape, answer.past, dtype)
