from .calendar import is_cyclic as is_cyclic
from .forecaster_file import LastSeasonGraph as LastSeasonGraph
from .forecaster_file import NetworksGraph as NetworksGraph
from .forecaster_file import SeriesModel as SeriesModel
from .forecaster_file import write_series_model as write_series_model
from .regressor_file import write_array_model as write_array_model
