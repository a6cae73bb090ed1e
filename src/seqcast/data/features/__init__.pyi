from .builder import FeatureBuilder as FeatureBuilder
from .calendar import CALENDAR_FEATURES as CALENDAR_FEATURES
from .calendar import check_calendar as check_calendar
