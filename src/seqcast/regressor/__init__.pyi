from .arguments import draw_seed as draw_seed
from .regressor import Seq2SeqRegressor as Seq2SeqRegressor
