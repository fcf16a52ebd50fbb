"""Oracle for the tests of `sparkles-learn`: fits and metrics by scikit-learn and scipy.

    python -m venv venv && venv/bin/pip install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
    venv/bin/python reference/learn/oracle.py

Prints the values that stand in the tests, made with the versions above (Python 3.11).

MLlib's objective is (1/W) Σ w ℓ + λ/2 Σ (σ β)², scikit-learn's C Σ w ℓ + 1/2 Σ β²: the
same optimum with C = 1 / (λ W) on columns divided by their deviation σ.
"""

import numpy as np
import scipy
import sklearn
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score


def rows():
    """40 rows of 3 columns by a rule that is easy to write in any language."""
    i = np.arange(40)
    x = np.stack([(i * 7) % 11 / 4, (i * 5) % 13 / 2 - 3, (i * i) % 17 * 8.0 + 100], axis=1)
    weight = 0.5 + (i % 3) / 2
    two = ((i * 3) % 7 + i % 2 * 2 > 4).astype(int)
    three = (i * 3 + i // 5) % 3
    return x.astype(np.float32).astype(np.float64), two, three, weight


def fit(x, y, weight, lam, standardization):
    total = weight.sum()
    mean = weight @ x / total
    deviation = np.sqrt(weight @ (x - mean) ** 2 / (total - (weight**2).sum() / total))
    scale = deviation if standardization else np.ones_like(deviation)
    classes = y.max() + 1
    model = LogisticRegression(C=1 / (lam * total), solver="newton-cg", tol=1e-14, max_iter=10_000)
    model.fit(x / scale, y, sample_weight=weight)
    coef, intercept = model.coef_ / scale, model.intercept_
    if classes > 2:
        intercept = intercept - intercept.mean()
    return coef, intercept


def show(values):
    return "[" + ", ".join(repr(float(v)) for v in np.ravel(values)) + "]"


print("scikit-learn", sklearn.__version__, "scipy", scipy.__version__, "numpy", np.__version__)
x, two, three, weight = rows()
for name, y in [("two", two), ("three", three)]:
    for weighted in [False, True]:
        for standardization in [True, False]:
            w = weight if weighted else np.ones(len(y))
            coef, intercept = fit(x, y, w, 0.05, standardization)
            print(f"fit {name} weighted={weighted} standardization={standardization}")
            print("  coefficients", show(coef), "intercepts", show(intercept))

print("wilson (successes, trials, low, high)")
for k, n in [(0, 10), (1, 10), (97, 100), (512, 513), (513, 513), (3, 7)]:
    ci = binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
    print(f"  ({k}, {n}, {float(ci.low)!r}, {float(ci.high)!r}),")

label, prediction = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 3, 0]
print("metrics")
for average in ["weighted", "macro"]:
    kw = dict(average=average, labels=range(4), zero_division=0)
    print(" ", average, *(float(f(label, prediction, **kw)) for f in (precision_score, recall_score, f1_score)))
