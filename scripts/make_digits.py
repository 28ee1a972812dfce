"""Write refdgm/datasets/digits.npz from scikit-learn's copy of the UCI optical digits (needs scikit-learn).

    python scripts/make_digits.py

The file holds images (1797, 64) uint8 of 0..16 and labels (1797,) uint8, in scikit-learn's order: the test half of
E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998), CC BY 4.0.
"""
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
target = Path(__file__).parents[1] / "refdgm/datasets/digits.npz"
np.savez_compressed(target, images=digits.data.astype(np.uint8), labels=digits.target.astype(np.uint8))
print(f"{target.name}: {target.stat().st_size} bytes")
