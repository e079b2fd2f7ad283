"""What scikit-learn may know of an estimator without fitting it."""

from typing import ClassVar

from sklearn.base import BaseEstimator

from ..families import Family


class Tagged(BaseEstimator):
    """Tags that follow from the family, and the page that the HTML representation links to."""

    _family: ClassVar[Family]

    _doc_link_module = "sklearn_physrnn"
    _doc_link_template = (
        "https://sklearn-physrnn.readthedocs.io/en/latest/api/generated/"
        "sklearn_physrnn.{estimator_name}.html"
    )

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"estimator_name": type(self).__name__}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._family.takes_missing(self)
        return tags
