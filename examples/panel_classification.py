"""Classify panels with sktime: a pipeline, series of unequal length, cross-validation.

Prints the accuracy of each model on the test part of two data sets that sktime ships,
beside baselines, and the accuracies of a cross-validation.
"""

import time

from sklearn.model_selection import StratifiedKFold, cross_val_score
from sktime.classification.distance_based import KNeighborsTimeSeriesClassifier
from sktime.classification.dummy import DummyClassifier
from sktime.classification.kernel_based import RocketClassifier
from sktime.datasets import load_basic_motions, load_japanese_vowels
from sktime.transformations.compose import FitInTransform
from sktime.transformations.panel.padder import PaddingTransformer
from sktime.transformations.series.difference import Differencer

from sklearn_physrnn.classification import HSSMSeriesClassifier, PETNNSeriesClassifier


def compare(title, load, models, **kwargs):
    """Fit each model to the training part and print its accuracy on the test part."""
    X_train, y_train = load(split="train", **kwargs)
    X_test, y_test = load(split="test", **kwargs)
    print(f"{title}: {len(X_train)} series to train, {len(X_test)} to test")
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X_train, y_train)
        accuracy = model.score(X_test, y_test)
        print(f"  {name:<28}{accuracy:6.3f}  {time.perf_counter() - start:5.1f} s")
    print()


def main():
    nearest = KNeighborsTimeSeriesClassifier(distance="euclidean")
    # A transformer * a classifier is sktime's pipeline. Differences of each series by itself:
    differences = FitInTransform(Differencer())

    compare(
        "BasicMotions, 6 channels of 100 steps, 4 movements",
        load_basic_motions,
        {
            "most frequent class": DummyClassifier(),
            "1-nearest neighbour": nearest,
            "MiniRocket": RocketClassifier(rocket_transform="minirocket", random_state=0),
            "PETNN": PETNNSeriesClassifier(random_state=0),
            "differences, then HSSM": differences * HSSMSeriesClassifier(random_state=0),
        },
        return_type="numpy3D",
    )

    # Of unequal length, in sktime's nested frame. Ours need no padding.
    padded = PaddingTransformer(pad_length=29)
    compare(
        "JapaneseVowels, 12 channels of 7 to 29 steps, 9 speakers",
        load_japanese_vowels,
        {
            "most frequent class": DummyClassifier(),
            "padded, 1-nearest neighbour": padded * nearest,
            "PETNN": PETNNSeriesClassifier(random_state=0),
        },
    )

    X, y = load_basic_motions(split="train", return_type="numpy3D")
    model = PETNNSeriesClassifier(max_iter=40, random_state=0)
    scores = cross_val_score(model, X, y, cv=StratifiedKFold(4, shuffle=True, random_state=0))
    print(f"PETNN, cross-validated by scikit-learn on BasicMotions: {scores.round(2).tolist()}")


if __name__ == "__main__":
    main()
