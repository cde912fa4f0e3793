"""Training and evaluation: `fit`, `evaluate`, and named recipes.

python -m vit_minimal.training --recipe cpu
torchrun --nproc-per-node=2 -m vit_minimal.training --recipe h200      (two GPUs)
"""

from .estimate import estimate_seconds
from .evaluation import confusion_matrix, evaluate, predict
from .history import History
from .loop import fit
from .muon import Muon
from .optimizers import MovingAverage, make_optimizers, make_scheduler
from .recipes import RECIPES, SHORT, Recipe, TrainingConfig
