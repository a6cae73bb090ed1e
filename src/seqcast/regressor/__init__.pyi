from .estimator import Seq2SeqRegressor as Seq2SeqRegressor
from .options import draw_seed as draw_seed
