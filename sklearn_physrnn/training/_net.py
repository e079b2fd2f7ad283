"""skorch's net, with the small steps replaced that cost most on data in memory."""

import dis
import itertools
from collections.abc import Callable
from contextlib import nullcontext

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.utils import TeeGenerator

from ..kernels._check import looking_later
from ..nn._share import current_share, sharing
from ._callbacks import StopTraining
from ._carried import Carried
from ._data import Batches, BatchIterator, join_outputs, run_module
from ._pieces import Loss, Pieces, steps_of, whole
from ._recorded import RecordedTargets


class Net(NeuralNet):
    """A skorch net whose data give batches themselves and whose losses are one a sample.

    Parameters
    ----------
    validation : Batches or None
        Validated after every epoch.
    scorer : callable or None
        ``scorer(outputs) -> float`` of the validation outputs, recorded as ``valid_score``.
    generator : torch.Generator
        Orders the training batches.
    amp_dtype : torch.dtype or None
        Run the module under autocast to this type.
    records_batches : bool
        Record losses batch by batch, as some callbacks read them; it waits for each.
    stream_to : torch.device or None
        Where to copy batch after batch; None where the data are there already.
    piece_size : int or None
        Walk longer sequences in pieces of so many steps.
    undo : bool
        Undo time to find the states before pieces, instead of keeping them.
    limit : TimeLimit or None
        Asked after each step whether there is time for another.
    group : Group or None
        Processes that share each batch.
    shares_training : bool
        Whether they share those of training, too, or each go through all of them.
    repeated : Repeated or None
        Replays steps, where they can be.
    carries : bool
        Keep the state that a step left, as ``carried_``.
    carried : Carried or None
        What to begin in, if not at rest.
    """

    return_error_: torch.Tensor
    carried_: Carried | None = None

    def __init__(
        self,
        *args,
        validation=None,
        scorer=None,
        generator=None,
        amp_dtype=None,
        records_batches=False,
        stream_to=None,
        piece_size=None,
        undo=False,
        repeated=None,
        carries=False,
        carried=None,
        limit=None,
        group=None,
        shares_training=True,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.validation = validation
        self.scorer = scorer
        self.generator = generator
        self.amp_dtype = amp_dtype
        self.records_batches = records_batches
        self.stream_to = stream_to
        self.piece_size = piece_size
        self.undo = undo
        self.repeated = repeated
        self.carries = carries
        self.carried = carried
        self.limit = limit
        self.group = group
        self.shares_training = shares_training

    def get_split_datasets(self, X: Batches, y=None, **fit_params):
        return X, self.validation

    def get_iterator(self, dataset: Batches, training: bool = False) -> BatchIterator:
        generator = self.generator if training else None
        group = self.group if self.shares_training or not training else None
        return BatchIterator(dataset, self.batch_size, generator, self.stream_to, group)

    def infer(self, x, **fit_params):
        pieces = self._pieces(x)
        if pieces is not None:
            return pieces.outputs()
        if self.amp_dtype is None:
            return run_module(self.module_, whole(x))
        with self._autocast():
            output = run_module(self.module_, whole(x))
        return output.float()

    def _autocast(self):
        if self.amp_dtype is None:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=self.amp_dtype)

    def _pieces(self, inputs) -> Pieces | None:
        if self.piece_size is None:
            return None
        steps = steps_of(inputs)
        if steps.longest <= self.piece_size:
            return None
        return Pieces(self.module_, steps, self.piece_size, self._autocast, undo=self.undo)

    def _pieces_from_there(self, inputs) -> Pieces:
        """Give pieces, if only one, that begin in what is carried."""
        steps, first = steps_of(inputs), None
        if self.carried is not None:
            first = self.carried.begin(self.module_)
        size = self.piece_size or steps.longest
        return Pieces(self.module_, steps, size, self._autocast, undo=self.undo, first=first)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        target, weight = y_true
        if isinstance(target, RecordedTargets):
            target = target.take(0, y_pred.shape[1])
        losses = self.criterion_(y_pred, target)
        return _mean(losses if weight is None else losses * weight)

    @property
    def _default_callbacks(self):
        # skorch's own look for the best epoch and print a table; KeepWeights and Progress do.
        return []

    def listeners(self, method_name: str) -> list[Callback]:
        """Give the callbacks that have a hook of their own; skorch's has empty ones."""
        return [
            callback
            for _, callback in self.callbacks_
            if getattr(type(callback), method_name) is not getattr(Callback, method_name)
        ]

    def notify(self, method_name, **cb_kwargs):
        """Call the hooks of callbacks that have one; skorch calls the empty ones too."""
        if method_name not in self._hooks:
            self._hooks[method_name] = [
                getattr(callback, method_name) for callback in self.listeners(method_name)
            ]
        getattr(self, method_name)(self, **cb_kwargs)
        for hook in self._hooks[method_name]:
            try:
                hook(self, **cb_kwargs)
            except KeyboardInterrupt as error:
                if _raised_by_a_statement(error):
                    raise StopTraining from error
                raise

    def train_step(self, batch, **fit_params):
        # skorch wraps the step in a closure, for optimisers that call it several times.
        self.optimizer_.zero_grad(set_to_none=True)
        step = self.train_step_single(batch)
        if current_share() is not None:
            parameters = [x for _, x in self.get_all_learnable_params()]
            step["loss"] = self.group.sum_gradients(parameters, step["loss"])
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self.optimizer_.step()
        return step

    def train_step_single(self, batch, **fit_params):
        # skorch sets the training mode here, batch by batch; we do once an epoch.
        inputs, target = batch
        if target[1] is not None and getattr(self.module_, "takes_weights", False):
            inputs = {**inputs, "weights": target[1]}
        pieces = self._pieces_from_there(inputs) if self.carries else self._pieces(inputs)
        if pieces is not None:
            loss, y_pred = pieces.backward(self._loss_of_pieces(target))
            if pieces.last is not None and self.carries:
                self.carried_ = Carried.of(pieces.last)
            if pieces.return_error is not None:
                self.return_error_ = pieces.return_error.maximum(self.return_error_)
            return {"loss": loss, "y_pred": y_pred}
        y_pred = self.infer(inputs)
        loss = self.get_loss(y_pred, target, training=True)
        loss.backward()
        return {"loss": loss.detach(), "y_pred": y_pred}

    def _loss_of_pieces(self, target) -> Loss:
        if self.module_.readout != "sequence":
            return lambda outputs, start, stop: self.get_loss(outputs, target, training=True)
        y, weight = target
        counts = self.criterion_.counts(y)

        def part(outputs, start, stop):
            recorded = isinstance(y, RecordedTargets)
            steps = y.take(start, stop) if recorded else y[:, start:stop]
            losses = self.criterion_.part(outputs, steps, counts)
            return _mean(losses if weight is None else losses * weight)

        return part

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """One pass over the data; its loss is the mean over samples, not over batches.

        The sum stays on the device until the epoch ends: one synchronisation an
        epoch instead of one a batch.
        """
        if iterator is None:
            return
        self._set_training(training)
        self.return_error_ = torch.zeros((), dtype=torch.float64, device=self.device)
        keep_outputs = not training and self.scorer is not None
        with looking_later():
            found = self._replayed(iterator, training)
            total, outputs = found or self._one_by_one(
                iterator, training, prefix, step_fn, keep_outputs
            )
        if not training and self.group is not None:
            total, outputs = self._gathered(total, outputs)
        loss, key = float(total) / len(iterator.samples), f"{prefix}_loss"
        best = all(loss < epoch[key] for epoch in self.history[:-1])
        self.history.record(key, loss)
        self.history.record(f"{key}_best", best)
        if training and self.undo:
            error = float(self.return_error_)
            if self.group is not None:
                error = max(self.group.told("errors of the way back", error))
            self.history.record("return_error", error)
        if keep_outputs:
            self.history.record(f"{prefix}_score", self.scorer(join_outputs(outputs)))

    def _replayed(self, iterator, training):
        if self.repeated is None:
            return None
        if not training:
            return self.repeated.validate(self, iterator)
        total = self.repeated.train(self, iterator)
        return None if total is None else (total, [])

    def _one_by_one(self, iterator, training, prefix, step_fn, keep_outputs):
        total, outputs, n_seen = 0.0, [], 0
        for batch, share in zip(iterator, iterator.shares(), strict=True):
            n_rows = len(batch[1][0]) if share is None else share.of
            if self.records_batches:
                self.history.new_batch()
            self.notify("on_batch_begin", batch=batch, training=training)
            with sharing(share):
                step = step_fn(batch)
            if self.records_batches:
                self.history.record_batch(f"{prefix}_loss", float(step["loss"]))
                self.history.record_batch(f"{prefix}_batch_size", n_rows)
            total = total + step["loss"] * n_rows
            if keep_outputs:
                outputs.append(step["y_pred"])
            self.notify("on_batch_end", batch=batch, training=training, **step)
            n_seen += n_rows
            if training and self.limit is not None and self.limit.ends_epoch():
                break
        return total * (len(iterator.samples) / n_seen if training else 1.0), outputs

    def _gathered(self, total, outputs):
        """Put together what the processes have of the validation data."""
        own = float(total), [x.detach().cpu() for x in outputs]
        told = self.group.told("the validation", own)
        batches = itertools.zip_longest(*(pieces for _, pieces in told))
        outputs = [piece for pieces in batches for piece in pieces if piece is not None]
        return sum(loss for loss, _ in told), outputs

    def partial_fit(self, X: Batches, y=None, classes=None, **fit_params):
        """Train, and tell whether a person interrupted it."""
        if not self.initialized_:
            self.initialize()
        self.interrupted_ = False
        self.return_error_: torch.Tensor = torch.zeros((), dtype=torch.float64, device=self.device)
        self._hooks: dict[str, list[Callable[..., None]]] = {}
        self.notify("on_train_begin", X=X, y=y)
        try:
            # What a callback restored at the beginning is not trained again.
            self.fit_loop(X, epochs=self.max_epochs - len(self.history))
        except StopTraining:
            pass
        except KeyboardInterrupt:
            if self.group is not None:  # the others cannot go on, nor know where this one is
                raise
            self.interrupted_ = True
        self.notify("on_train_end", X=X, y=y)
        return self


def _mean(losses: torch.Tensor) -> torch.Tensor:
    """Give the mean over a batch, or what a share of its rows adds to that."""
    share = current_share()
    return losses.mean() if share is None else losses.sum() / share.of


def _raised_by_a_statement(error: BaseException) -> bool:
    """Tell ``raise KeyboardInterrupt``, skorch's way to stop, from an interrupt."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    instruction = trace.tb_frame.f_code.co_code[trace.tb_lasti]
    return instruction == dis.opmap["RAISE_VARARGS"]
