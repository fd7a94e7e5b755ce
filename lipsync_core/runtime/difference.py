"""How far generated faces are from those of the fp32 network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

GOOD_DB = 40.0  # mean squared error of 2.6 grey levels: not seen beside the original


@dataclass(frozen=True)
class Difference:
    """Generated faces of one engine against those of torch in fp32, on the same inputs.

    Attributes:
        psnr_db: peak signal to noise ratio with peak 1.0, infinite where nothing differs.
        max_abs: largest difference of any value, in 0...1.
        n_faces: faces compared.
    """

    psnr_db: float
    max_abs: float
    n_faces: int

    def __str__(self) -> str:
        if self.max_abs == 0:
            return f"no difference from fp32 on {self.n_faces} faces"
        return f"{self.psnr_db:.1f} dB PSNR to fp32 on {self.n_faces} faces, at most {self.max_abs:.2g} of 1"


def difference_between(faces: Tensor, reference: Tensor) -> Difference:
    """Compare faces (N, 3, H, W) in 0...1 with the reference's.

    Only the lower half counts: it is what is pasted, and the upper half, which every generator sees and
    copies, would flatter the number.
    """
    first_row = faces.shape[2] // 2
    error = (faces[:, :, first_row:].double() - reference[:, :, first_row:].double()).abs()
    mean_square = float((error * error).mean())
    psnr_db = math.inf if mean_square == 0 else -10 * math.log10(mean_square)
    return Difference(psnr_db, float(error.max()), len(faces))
